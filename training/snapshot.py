"""What a retraining learns from: the manifest of LUNGLINE_TRAINING_DATA and the store's labelled scans, as they stood when it began.

It lies in the store, `STORE/training/<run>/`, since paths of scans hold their names: `manifest.csv`, without the splits that no retraining
may look at, and `audited.csv`, with all, since a patient who is in `test` too must be found.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from lungline.errors import TrainingError
from lungline.findings import FINDINGS, Modality
from lungline.pseudonyms import PseudonymKey
from training import manifests
from training.manifests import Row
from training.store_labels import join

SPLITS: Final = ("train", "val", "gate")
FEWEST: Final = 10  # scans of a finding to learn from

_MANIFEST: Final = "manifest.csv"
_AUDITED: Final = "audited.csv"


class NoTrainingData(TrainingError):
    """There is nothing to learn from at all."""


@dataclass(frozen=True)
class Labels:
    """The store's labelled scans, as `training.store_labels` tells them."""

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
    split: str

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
            "split": self.split,
        }


def folder_of(store: Path, run_id: str) -> Path:
    """Where the snapshot of a run lies."""
    return store / "training" / run_id


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
        raise TrainingError("LUNGLINE_TRAINING_DATA holds no manifest.csv; `lungline data build` makes one.")
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
    manifests.write(folder / _AUDITED, rows)
    manifests.write(folder / _MANIFEST, learnt)
    counts = Counter(row.split for row in learnt)
    joined = sum(row.path in ours for row in learnt)
    return Snapshot(
        folder,
        hashlib.sha256((folder / _MANIFEST).read_bytes()).hexdigest(),
        hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest else None,
        joined,
        labels.until if joined else None,
        ", ".join(f"{split} {counts[split]}" for split in SPLITS),
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


def lessons(folder: Path, modality: Modality) -> set[tuple[str, str]] | None:
    """The pictures of `train`, by their paths from the folder, with their labels. None where the snapshot is gone.

    Args:
        folder: as `take` was given it.
        modality: of the pictures.
    """
    try:
        rows = manifests.read(folder / _MANIFEST)
    except TrainingError:
        return None
    mine = (row for row in rows if row.split == "train" and row.modality == modality.value)
    return {(os.path.relpath(row.path, folder), row.label) for row in mine}


def sufficient(folder: Path) -> set[str]:
    """The modalities that `require_enough` lets pass."""
    found = set()
    for modality in Modality:
        with suppress(TrainingError):
            require_enough(folder, modality)
            found.add(modality.value)
    return found


def require_enough(folder: Path, modality: Modality) -> None:
    """Refuses data of which nothing can be learnt or judged.

    Raises:
        TrainingError: of one finding alone, fewer than ten scans of a finding in `train`, or none of one in `val` or `gate`.
    """
    counts = Counter((row.split, row.finding) for row in manifests.read(folder / _MANIFEST) if row.modality == modality.value)
    present = [finding for finding in FINDINGS[modality] if counts["train", finding]]
    if len(present) < 2:
        raise TrainingError(f"The {modality.value} scans in `train` have one finding alone ({', '.join(present) or 'none'}): add others.")
    few = [finding for finding in FINDINGS[modality] if counts["train", finding] < FEWEST]
    if few:
        raise TrainingError(f"Fewer than {FEWEST} {modality.value} scans of {', '.join(few)} in `train`: add some.")
    for split in ("val", "gate"):
        missing = [finding for finding in FINDINGS[modality] if not counts[split, finding]]
        if missing:
            raise TrainingError(f"The split `{split}` has no {modality.value} scan of {', '.join(missing)}: add some.")
