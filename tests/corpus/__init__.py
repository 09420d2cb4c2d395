"""Synthetic scans for all tests: chest-like pictures, every kind of file that holds one, and files that hold none. Nothing is fetched."""
