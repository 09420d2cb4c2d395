"""What a retraining learns from: the manifest of LUNGLINE_TRAINING_DATA and the store's labelled scans, as they stood when it began.

It lies in the store, `STORE/training/<run>/`, since paths of scans hold their names: `manifest.csv`, without the splits that no retraining
may look at, and `audited.csv`, with all, since a patient who is in `test` too must be found.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from lungline.errors import TrainingError
from lungline.findings import Modality
from lungline.layout import Store
from lungline.pseudonyms import PseudonymKey
from training.data import manifests
from training.data.manifests import Row
from training.data.store_labels import join

SPLITS: Final = ("train", "val", "gate")

_MANIFEST: Final = "manifest.csv"
_AUDITED: Final = "audited.csv"


class NoTrainingData(TrainingError):
    """There is nothing to learn from at all."""


@dataclass(frozen=True)
class Labels:
    """The store's labelled scans, as `training.data.store_labels` tells them."""

    rows: Sequence[Row]
    until: datetime | None  # when the latest label came
    key: PseudonymKey  # by which their patients are known


@dataclass(frozen=True)
class Snapshot:
    """The data of one run, which never changes."""

    folder: Path
    sha256: str  # of what is learnt from
    manifest_sha256: str | None  # of LUNGLINE_TRAINING_DATA's manifest within it
    labels: int  # of its rows that are the store's
    labels_until: datetime | None
    split: Mapping[str, int]  # name of each split -> how many scans it has

    @property
    def audited(self) -> Path:
        """All rows, those of other splits too."""
        return self.folder / _AUDITED

    def columns(self) -> dict[str, Any]:
        """As the row of the run holds it."""
        return {
            "data_sha256": self.sha256,
            "manifest_sha256": self.manifest_sha256,
            "labels": self.labels,
            "labels_until": self.labels_until,
            "split": dict(self.split),
        }


def take(folder: Path, data: Path | None, labels: Labels) -> Snapshot:
    """Writes the snapshot into `folder`, in place of an older one.

    Args:
        folder: below the store.
        data: LUNGLINE_TRAINING_DATA, or None.
        labels: the store's.

    Raises:
        NoTrainingData: there is neither a manifest nor a labelled scan.
        TrainingError: the manifest cannot be read, or the folder cannot be written.
    """
    manifest = data / _MANIFEST if data else None
    if manifest and not manifest.is_file():
        raise TrainingError("LUNGLINE_TRAINING_DATA has no manifest.csv; `lungline data build` makes one.")
    rows: Sequence[Row] = manifests.read(manifest) if manifest else ()
    ours: set[Path] = set()
    if labels.rows:
        rows, ours = join(rows, labels.rows, labels.key).rows, {row.path for row in labels.rows}
    learnt = [row for row in rows if row.split in SPLITS]
    if not learnt:
        raise NoTrainingData("No training data: set LUNGLINE_TRAINING_DATA to a folder of labelled scans, or import labels.")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise TrainingError(f"LUNGLINE_STORE cannot be written ({error.strerror}).") from None
    try:
        manifests.write(folder / _AUDITED, rows)
        manifests.write(folder / _MANIFEST, learnt)
    except TrainingError:
        raise TrainingError(
            "The snapshot of the data cannot be written: free some space in LUNGLINE_STORE, or correct its permissions."
        ) from None
    counts = Counter(row.split for row in learnt)
    joined = sum(row.path in ours for row in learnt)
    return Snapshot(
        folder,
        hashlib.sha256((folder / _MANIFEST).read_bytes()).hexdigest(),
        hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest else None,
        joined,
        labels.until if joined else None,
        {split: counts[split] for split in SPLITS},
    )


def reopen(folder: Path, known: Mapping[str, Any]) -> Snapshot | None:
    """The snapshot that a run took when it first began; None if it is not there, or not that one.

    Args:
        folder: as `take` was given it.
        known: the columns of the run.
    """
    try:
        found = hashlib.sha256((folder / _MANIFEST).read_bytes()).hexdigest()
    except OSError:
        return None
    if found != known["data_sha256"]:
        return None
    return Snapshot(folder, found, known["manifest_sha256"], known["labels"], known["labels_until"], known["split"])


def count_training_labels(folder: Path, modality: Modality) -> Counter[tuple[str, str, str]] | None:
    """The pictures of `train`, by source, file's own name and label: wherever their folder lies. None where the snapshot is gone.

    Args:
        folder: as `take` was given it.
        modality: of the pictures.
    """
    try:
        rows = rows_of(folder, modality)
    except TrainingError:
        return None
    return Counter((row.source, row.path.name, row.label) for row in rows if row.split == "train")


def trains_on_store(folder: Path, modality: Modality, store: Store) -> bool:
    """Whether a picture of `train` is a labelled scan of the store."""
    links = store.labelled.resolve()
    return any(row.split == "train" and row.path.parent.resolve() == links for row in rows_of(folder, modality))


def rows_of(folder: Path, modality: Modality) -> list[Row]:
    """What is learnt from and judged by, of one modality.

    Raises:
        TrainingError: the snapshot cannot be read.
    """
    return [row for row in manifests.read(folder / _MANIFEST) if row.modality == modality.value]
