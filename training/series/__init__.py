"""The rule from slice scores to a CT series: which is chosen, on what, and how it did."""
