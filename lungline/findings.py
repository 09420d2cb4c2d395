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


# Names of these labels as people write them, without case, blanks, hyphens and underscores.
_COVID19: Final = (
    "covid19",
    "covid",
    "corona",
    "coronavirus",
    "sarscov2",
    "ncov",
    "2019ncov",
    "covidpneumonia",
    "covid19pneumonia",
    "ctcovid",
)
_NORMAL: Final = ("normal", "nofinding", "nofindings", "healthy", "control")
_PNEUMONIA: Final = ("pneumonia", "viralpneumonia", "bacterialpneumonia", "cap", "communityacquiredpneumonia")
_NON_COVID: Final = ("noncovid", "noncovid19", "notcovid", "nocovid", "ctnoncovid")

_CALLED: Final[dict[Modality, dict[str, str]]] = {
    Modality.XRAY: dict.fromkeys(_COVID19, "covid19") | dict.fromkeys(_NORMAL, "normal") | dict.fromkeys(_PNEUMONIA, "pneumonia"),
    Modality.CT: dict.fromkeys(_COVID19, "covid19")
    | dict.fromkeys(_NORMAL, "normal")
    | dict.fromkeys(_PNEUMONIA, "cap")
    | dict.fromkeys(_NON_COVID, "non_covid"),
}


def labels(modality: Modality) -> tuple[str, ...]:
    """What a picture of a modality may be labelled: its findings, and the finer labels that ensembles count as one of them."""
    return (*FINDINGS[modality], *_SAME_AS[modality])


def label_of(modality: Modality, said: str) -> str:
    """The label that people mean, whatever they call it and however it is spelt: `COVID-19`, `Non COVID`, `no finding`.

    Raises:
        KeyError: the modality has none such.
    """
    return _CALLED[modality][plain(said)]


def plain(name: str) -> str:
    """A name without case, blanks, hyphens and underscores."""
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
