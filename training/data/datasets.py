"""Labelled pictures from LUNGLINE_TRAINING_DATA: its manifest, its splits, and the promise that no patient is on two sides."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Final

import numpy as np

from imaging.read import read
from lungline.errors import TrainingError, UnreadableScan
from lungline.findings import Modality
from models.admission import NEITHER
from models.preprocess import Pixels, prepare
from training.data import manifests
from training.data.manifests import Row

_NEGATIVE_COLUMNS: Final = frozenset({"path", "group", "source", "split"})  # columns of the manifest of what is neither


@dataclass(frozen=True)
class Example:
    """One labelled picture. `group` is what belongs together: a patient and near-duplicates."""

    path: Path
    label: str
    group: str
    source: str
    split: str

    @property
    def origin(self) -> str:
        """The source by its name alone: its copies and forks are one."""
        return manifests.origin_of(self.source)


@dataclass(frozen=True)
class DataSet:
    """The examples that a recipe may learn from, and the hash that tells whether two trainings saw the same list."""

    examples: tuple[Example, ...]
    sha256: str

    def split(self, name: str) -> list[Example]:
        """The examples of one split, in the manifest's order.

        Raises:
            TrainingError: there are none.
        """
        found = [example for example in self.examples if example.split == name]
        if not found:
            raise TrainingError(f"The manifest in LUNGLINE_TRAINING_DATA has no row with split `{name}` for this recipe.")
        return found


def load(root: Path, modality: Modality | None) -> DataSet:
    """Reads the manifest below `root`.

    Args:
        root: the folder with `manifest.csv`, or a manifest: columns path, modality, label, group, source, split; paths relative to it.
        modality: whose examples to take, labelled by finding. None takes all, labelled by modality, and those of `neither/manifest.csv`
            (columns path, group, source, split, and kind where there is one, which then stands for the source), labelled `neither`.

    Raises:
        TrainingError: a manifest is missing or malformed, or a group is in two splits.
    """
    manifest = _manifest_of(root)
    rows = manifests.read(manifest)
    digest = hashlib.sha256(manifest.read_bytes())
    if modality:
        examples = [_example(row, row.label) for row in rows if row.modality == modality.value and row.label]
    else:
        neither = _there(manifest.parent / "neither" / "manifest.csv")
        examples = [_example(row, row.modality) for row in rows] + _negatives(neither)
        digest.update(neither.read_bytes())
    check_groups(examples)
    return DataSet(tuple(examples), digest.hexdigest())


def digest(root: Path) -> str:
    """The hash of a manifest, as `load` finds it.

    Raises:
        TrainingError: it is missing.
    """
    return hashlib.sha256(_manifest_of(root).read_bytes()).hexdigest()


def limit_examples(data: DataSet, most: int) -> DataSet:
    """At most so many examples of each split: of its labels in turn, and of each label's sources in turn; always the same ones."""
    queues: dict[str, dict[str, dict[str, list[Example]]]] = {}
    for example in data.examples:
        queues.setdefault(example.split, {}).setdefault(example.label, {}).setdefault(example.origin, []).append(example)
    chosen: set[Example] = set()
    for labels in queues.values():
        mixed = [_in_turn(list(sources.values())) for sources in labels.values()]
        chosen.update(islice(_in_turn(mixed), most))
    return DataSet(tuple(example for example in data.examples if example in chosen), data.sha256)


def _in_turn(queues: Sequence[Iterable[Example]]) -> Iterator[Example]:
    for turn in zip_longest(*queues):
        yield from (example for example in turn if example is not None)


def check_groups(examples: Sequence[Example]) -> None:
    """Proves that splits are known and that no group is in two of them; `demo` pictures may be originals of `test`.

    Raises:
        TrainingError: else; the message gives a count, never a group.
    """
    splits: dict[str, set[str]] = {}
    for example in examples:
        if example.split not in manifests.SPLITS:
            raise TrainingError(f"The manifest in LUNGLINE_TRAINING_DATA has a split that is not one of: {', '.join(manifests.SPLITS)}.")
        splits.setdefault(example.group, set()).add(manifests.side_of(example.split))
    torn = sum(len(sides) > 1 for sides in splits.values())
    if torn:
        raise TrainingError(
            f"{torn} groups of the manifest in LUNGLINE_TRAINING_DATA are in two splits, so figures would be too good; see "
            f"`lungline data check`."
        )


def read_pictures(
    examples: Sequence[Example],
    preprocess: str,
    step: Callable[[], None] = lambda: None,
    alter: Callable[[Pixels], Pixels] = lambda pixels: pixels,
) -> Pixels:
    """Reads and preprocesses pictures as serving does.

    Args:
        examples: what to read.
        preprocess: one of `models.preprocess.PREPROCESSES`.
        step: called after each picture.
        alter: what is done to a picture (float32 (rows, columns), in [0, 1]) before it is preprocessed.

    Returns:
        float32 (n, side, side, 1) in [0, 1].

    Raises:
        TrainingError: a picture is missing or unreadable; the message gives how many.
    """
    pictures, unreadable = [], 0
    for example in examples:
        try:
            pictures.append(prepare(preprocess, alter(read(example.path.read_bytes()).pixels)))
        except (OSError, UnreadableScan):
            unreadable += 1
        step()
    if unreadable:
        raise TrainingError(f"{unreadable} pictures that the manifest in LUNGLINE_TRAINING_DATA lists are missing or unreadable.")
    return np.stack(pictures)


def _manifest_of(root: Path) -> Path:
    return _there(root if root.suffix == ".csv" else root / "manifest.csv")


def _there(manifest: Path) -> Path:
    if not manifest.is_file():
        raise TrainingError("No readable manifest.csv; set LUNGLINE_TRAINING_DATA to a folder of labelled scans.")
    return manifest


def _example(row: Row, label: str) -> Example:
    return Example(row.path, label, row.group, row.source, row.split)


def _negatives(manifest: Path) -> list[Example]:
    table = manifests.table_of(manifest)
    if missing := _NEGATIVE_COLUMNS - set(table[0]):
        raise TrainingError(f"neither/manifest.csv in LUNGLINE_TRAINING_DATA lacks the columns {', '.join(sorted(missing))}.")
    root = manifest.parent if (manifest.parent / table[0]["path"]).is_file() else manifest.parent.parent  # as some data sets write paths
    return [Example(root / row["path"], NEITHER, row["group"], row.get("kind") or row["source"], row["split"]) for row in table]
