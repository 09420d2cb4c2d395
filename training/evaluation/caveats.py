"""Why figures mean little or nothing, in words: too few pictures, a trial, a split that chose, another data set."""

from collections.abc import Mapping
from typing import Any, Final

CardData = Mapping[str, Any]  # `member.json`; or an ensemble's JSON with its modality, and its findings as `outputs`

# The splits that are told of, and what their figures are called in the files; the first is what counts.
SPLITS: Final = (("test", "figures"), ("validation", "validation"))

# On fewer pictures or groups an interval is as wide as the scale.
_FEW_IMAGES: Final = 50
_FEW_GROUPS: Final = 20


def evaluated_splits(facts: CardData) -> list[tuple[str, CardData]]:
    """The splits that it was judged on, with their figures; the first is what counts."""
    return [(split, facts[called]) for split, called in SPLITS if called in facts]


def caveats(facts: CardData) -> list[str]:
    """Why figures mean little or nothing; empty where nothing is plainly wrong with them."""
    lines = []
    if facts.get("limit"):
        lines.append(f"**Trained on {facts['limit']} pictures at the most: this is a try, and its figures mean nothing.**")
    if not evaluated_splits(facts):
        lines.append("**Not judged yet on scans that nothing learnt from.**")
    elif "judged_on" in facts:
        lines.append(f"Judged on another data set than it was made with: {facts['judged_on']}, by the hash of its manifest.")
    elif "figures" not in facts:
        lines.append("Not judged on test: validation chose epoch, temperature and thresholds, so its figures are too good.")
    if facts.get("from_card"):
        lines.append("Judged on validation alone in this run: the figures on test are those of its card.")
    for split, measured in evaluated_splits(facts):
        count = f"{measured['images']} pictures of {measured['groups']} groups"
        if measured["images"] < _FEW_IMAGES or measured["groups"] < _FEW_GROUPS:
            lines.append(f"**The split {split} holds {count}: on so few its figures mean nothing.**")
        if facts["modality"] is not None and "macro_auroc" not in measured:
            lines.append(f"**The split {split} ({count}) lacks an example of a finding: macro AUROC is not defined there.**")
    return lines
