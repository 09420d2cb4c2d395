"""Who belongs together, and on which side of the split: a patient never changes sides, however often a data set is built anew."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from training.data.audit import likeness
from training.data.audit.image_statistics import ImageStatistics
from training.data.audit.likeness import Pair
from training.data.builders.labelled_picture import LabelledPicture

# Upper bounds of u (see `side_of`): 60 % of the groups train, 13 % are validation, 12 % the gate's, 15 % test.
_SHARES: Final = (("train", 0.60), ("val", 0.73), ("gate", 0.85), ("test", 1.0))

# What is on two sides stays on the first of these, where it flatters nobody.
_PROTECTED: Final = ("holdout", "test", "demo", "gate", "val", "train")


def side_of(group: str) -> str:
    """The split of a group: a function of its name alone, u = first 32 bits of SHA-256(name) / 2^32 against the shares."""
    u = int.from_bytes(hashlib.sha256(group.encode()).digest()[:4], "big") / 2**32
    return next(split for split, bound in _SHARES if u < bound)


def groups_of(found: Sequence[LabelledPicture], statistics: Sequence[ImageStatistics | None], pairs: Sequence[Pair]) -> list[str]:
    """Each picture's group: patient, the data set's own group, and copies of one picture, joined.

    A group bears the first name, in alphabetical order, of all that were joined into it; where nobody is known, that of the pixels.
    """
    linked = list(pairs)
    for names in ([each.patient for each in found], [each.group for each in found]):
        first: dict[str, int] = {}
        linked += [(first.setdefault(name, number), number, 1.0) for number, name in enumerate(names) if name]
    tops = likeness.joined(linked, len(found))
    joined: dict[int, str] = {}
    for number, (top, each, measure) in enumerate(zip(tops, found, statistics, strict=True)):
        name = each.group or each.patient or (measure.sha256[:16] if measure else f"unreadable-{number}")
        joined[top] = min(joined.get(top, name), name)
    return [joined[top] for top in tops]


def splits_of(found: Sequence[LabelledPicture], groups: Sequence[str]) -> list[str]:
    """Each picture's split: the data set's own; else that of its group's others; else by the group's name."""
    given: dict[str, set[str]] = defaultdict(set)
    for each, group in zip(found, groups, strict=True):
        if each.split:
            given[group].add(each.split)
    return [
        each.split or (most_protected(given[group]) if group in given else side_of(group))
        for each, group in zip(found, groups, strict=True)
    ]


def most_protected(splits: set[str]) -> str:
    """Of several splits the one that must stay clean."""
    return min(splits, key=_PROTECTED.index)
