"""What data sets call their classes, and what Lungline calls them."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from lungline.errors import TrainingError
from lungline.findings import Modality

# A name in lower case, without blanks, hyphens and underscores, as people write it.
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

KNOWN: Final[dict[Modality, dict[str, str]]] = {
    Modality.XRAY: dict.fromkeys(_COVID19, "covid19") | dict.fromkeys(_NORMAL, "normal") | dict.fromkeys(_PNEUMONIA, "pneumonia"),
    Modality.CT: dict.fromkeys(_COVID19, "covid19")
    | dict.fromkeys(_NORMAL, "normal")
    | dict.fromkeys(_PNEUMONIA, "cap")
    | dict.fromkeys(_NON_COVID, "non_covid"),
}

LEFT_OUT: Final = ""


def labels(modality: Modality) -> tuple[str, ...]:
    """What pictures of a modality may be labelled."""
    return tuple(dict.fromkeys(KNOWN[modality].values()))


def is_known(name: str) -> bool:
    """Whether any modality has a class of that name."""
    return any(_plain(name) in known for known in KNOWN.values())


class Names:
    """Maps names of classes to labels: those that a user gave, then those that are known."""

    def __init__(self, given: Iterable[str] = ()) -> None:
        """Takes `OLD=NEW` for each mapping; `OLD=` leaves a class out.

        Raises:
            TrainingError: one has no `=`.
        """
        pairs = [name.partition("=") for name in given]
        if any(not old or not sign for old, sign, _ in pairs):
            raise TrainingError("`--label` takes OLD=NEW, for example `--label healthy_lung=normal`, or OLD= to leave a class out.")
        self._given: Mapping[str, str] = {_plain(old): new.strip() for old, _, new in pairs}

    def label(self, modality: Modality, name: str) -> str:
        """The label of a class, or `LEFT_OUT`.

        Raises:
            TrainingError: it is not known; the message names it, and what is known.
        """
        given = self._given.get(_plain(name))
        if given == LEFT_OUT:
            return LEFT_OUT
        found = KNOWN[modality].get(_plain(name if given is None else given))
        if found is None:
            raise TrainingError(
                f"No {modality} class is known as `{name if given is None else given}`. There are {', '.join(labels(modality))}; "
                f"map it with `--label '{name}=…'`, or leave it out with `--label '{name}='`."
            )
        return found

    def has(self, modality: Modality, name: str) -> bool:
        """Whether `label` would answer."""
        return _plain(name) in self._given or _plain(name) in KNOWN[modality]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
