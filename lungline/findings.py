"""Modalities and the findings that each may have: fixed, so that any two ensembles of a modality can be compared."""

import re
from enum import StrEnum
from typing import Final


class Modality(StrEnum):
    """What kind of picture the models read."""

    XRAY = "xray"
    CT = "ct"


class Status(StrEnum):
    """What a verdict asks of its reader."""

    ACCEPTED = "accepted"
    REVIEW = "review"
    REJECTED = "rejected"


FINDINGS: Final[dict[Modality, tuple[str, ...]]] = {
    Modality.XRAY: ("covid19", "pneumonia", "normal"),
    Modality.CT: ("covid19", "non_covid"),
}

# A label of a data set or of a member, as the ensemble of its modality calls it.
_SAME_AS: Final[dict[Modality, dict[str, str]]] = {
    Modality.XRAY: {},
    Modality.CT: {"cap": "non_covid", "normal": "non_covid"},
}


def label_of(modality: Modality, said: str) -> str:
    """The label that a reader means, however it is spelt: `COVID-19`, `Non COVID`.

    Raises:
        KeyError: the modality has none such.
    """
    known = {_plain(label): label for label in (*FINDINGS[modality], *_SAME_AS[modality])}
    return known[_plain(said)]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def finding_of(modality: Modality, label: str) -> str:
    """Maps a data set's or member's `label` to the modality's finding.

    Raises:
        KeyError: the modality has no such finding; such a member may not join its ensemble.
    """
    finding = _SAME_AS[modality].get(label, label)
    if finding not in FINDINGS[modality]:
        raise KeyError(label)
    return finding
