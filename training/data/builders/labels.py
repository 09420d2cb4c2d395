"""What data sets call their classes, and what Lungline calls them."""

from collections.abc import Iterable, Mapping
from typing import Final

from lungline.errors import TrainingError
from lungline.findings import Modality, label_of, labels, plain

SKIPPED: Final = ""


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
        self._given: Mapping[str, str] = {plain(old): new.strip() for old, _, new in pairs}

    def label(self, modality: Modality, name: str) -> str:
        """The label of a class, or `SKIPPED`.

        Raises:
            TrainingError: it is not known; the message names it, and what is known.
        """
        given = self._given.get(plain(name))
        if given == SKIPPED:
            return SKIPPED
        try:
            return label_of(modality, name if given is None else given)
        except KeyError:
            raise TrainingError(
                f"No {modality} class is called `{name if given is None else given}`. Known classes are {', '.join(labels(modality))}; "
                f"map it with `--label '{name}=…'`, or leave it out with `--label '{name}='`."
            ) from None

    def has(self, modality: Modality, name: str) -> bool:
        """Whether `label` would answer."""
        try:
            label_of(modality, name)
        except KeyError:
            return plain(name) in self._given
        return True
