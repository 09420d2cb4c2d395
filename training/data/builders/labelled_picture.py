"""What the readers of data sets hand on: labelled pictures where they lie, before they are grouped and split."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lungline.errors import TrainingError
from lungline.findings import Modality
from training.data.builders.labels import Names

PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".dcm"})

# What data sets call their splits, and what the manifest calls them.
SPLIT_NAMES: Final = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "gate": "gate",
    "test": "test",
    "testing": "test",
    "holdout": "holdout",
    "demo": "demo",
}


@dataclass(frozen=True)
class LabelledPicture:
    """One labelled picture of a data set."""

    path: Path
    modality: Modality
    label: str
    source: str
    patient: str = ""  # as the data set names it; empty where nobody is known
    group: str = ""  # what the data set says belongs together, beyond the patient
    split: str = ""  # empty where the data set has none


@dataclass
class BuildRequest:
    """What `lungline data build` was asked for."""

    path: Path
    names: Names = field(default_factory=Names)
    modality: Modality | None = None
    source: str | None = None
    beside: Path = Path()  # a folder for pictures that must be unpacked
    skipped: Counter[str] = field(default_factory=Counter)  # why -> how many; filled by the readers

    def label(self, modality: Modality, name: str) -> str:
        """The label of a class; counts one left out where there is none."""
        label = self.names.label(modality, name)
        if not label:
            self.skipped[f"of class `{name}`, as `--label` says"] += 1
        return label

    def folder(self) -> Path:
        """The folder that was named.

        Raises:
            TrainingError: it is none.
        """
        if not self.path.is_dir():
            raise TrainingError("There is no such folder to build from; see `lungline data build --help`.")
        return self.path


def pictures(folder: Path) -> Iterator[Path]:
    """PNG, JPEG and DICOM files in and below a folder, by their names' ends, in order; hidden ones left out."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)
        if path.suffix.lower() in PICTURES and not hidden and path.is_file():
            yield path


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, in order; hidden ones left out."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX")))
