"""How often a test split was used: with each use and each choice after it, its figures become a little too good."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from pydantic import TypeAdapter

from lungline.durable import replace_text
from lungline.errors import TrainingError
from models.files import ADMISSION
from models.records import Evaluated
from models.registry import SHIPPED, shipped, shipped_admission
from training.predictions.predict import Predictions

FILE_NAME: Final = "test-uses.json"
"""Beside the models: modality, pose or admission -> versions that were evaluated on its test split, in order."""

# What the files of models say of how they did on LUNGLINE_TRAINING_DATA.
_MEASURED: Final = {"validation", "figures", "test_uses"}

_VERSIONS_BY_SPLIT: Final = TypeAdapter(dict[str, list[str]])

_Record = TypeVar("_Record", bound=Evaluated)


@dataclass(frozen=True)
class SplitLog:
    """A lasting list of the versions that were evaluated on a test split."""

    folder: Path  # of models; the list lies beside them
    before: Mapping[str, Sequence[str]] = field(default_factory=dict)  # what was judged elsewhere on the same data, as `read` gives it
    data: str = ""  # names another test split than that of LUNGLINE_TRAINING_DATA, which has a list of its own

    def known(self, record: _Record) -> _Record:
        """A member or an ensemble, less what was measured on other splits than these; `judged_on` names another data set."""
        if not self.data:
            return record
        return type(record).model_validate(record.model_dump(exclude_unset=True, exclude=_MEASURED) | {"judged_on": self.data})

    def record(self, modality: str | None, version: str) -> tuple[str, ...]:
        """Notes that `version`, a member or an ensemble, is judged on the test split now; one that was before counts once.

        Args:
            modality: whose test split, a modality's or that of `pose`; None for that of admission.
            version: a member or an ensemble.

        Returns:
            All versions so far.

        Raises:
            TrainingError: the list cannot be read or written.
        """
        name = str(modality) if modality else ADMISSION
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _alone(self.folder):
                versions_by_split = read(self.folder)
                versions = versions_by_split.setdefault(f"{name} of {self.data}" if self.data else name, [])
                versions += [known for known in dict.fromkeys([*self.before.get(name, ()), version]) if known not in versions]
                replace_text(self.folder / FILE_NAME, json.dumps(versions_by_split, indent=2) + "\n")
        except OSError:
            raise TrainingError(f"{FILE_NAME} beside the models cannot be written; check its folder's permissions.") from None
        return tuple(versions)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While no other process is in such a block for this folder; others wait for as long as it takes to write a line."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read(folder: Path) -> dict[str, list[str]]:
    """The list beside a folder's models; empty where there is none.

    Raises:
        TrainingError: it is damaged.
    """
    try:
        return _VERSIONS_BY_SPLIT.validate_json((folder / FILE_NAME).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise TrainingError(f"{FILE_NAME} beside the models is damaged; restore it, as it counts the uses of the test split.") from None


def find_uses_by_what_ships(predictions: Predictions) -> dict[str, list[str]]:
    """The uses by what ships, as `SplitLog.before` takes them, where it was trained on the data set that is evaluated on now."""
    versions, found = read(SHIPPED), {}
    for files in (*shipped().values(), shipped_admission()):
        with suppress(TrainingError):  # no pictures for admission
            if predictions.data(files.modality).sha256 == files.places[0].member.record.data_sha256:
                found[files.name] = versions[files.name]
    return found
