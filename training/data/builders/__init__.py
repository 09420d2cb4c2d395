"""From a data set as people publish it to a manifest that `lungline train` reads. Pictures stay where they lie, and as they are."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lungline.errors import TrainingError
from lungline.progress import steps
from training.data import manifests
from training.data.audit import likeness
from training.data.audit.image_statistics import ImageStatistics, measure_all
from training.data.builders import chestxray, covidct, folders, table
from training.data.builders.groups import groups_of, most_protected, splits_of
from training.data.builders.labelled_picture import BuildRequest, LabelledPicture
from training.data.manifests import Row

KINDS: Final[dict[str, Callable[[BuildRequest], Iterator[LabelledPicture]]]] = {
    "ieee8023": chestxray.clone,
    "covid-ct": covidct.clone,
    "folders": folders.classes,
    "tree": folders.tree,
    "manifest": table.manifest,
}


@dataclass(frozen=True)
class Built:
    """What was written, and what was not."""

    rows: tuple[Row, ...]
    skipped: Counter[str]  # why -> how many pictures
    torn: int  # groups on two sides of a split that the data set came with
    unreadable: int


def build(kind: str, request: BuildRequest, out: Path, *, only_sound: bool) -> Built:
    """Writes the manifest of a data set.

    Args:
        kind: one of `KINDS`.
        request: where it lies, and what its classes are called.
        out: the manifest to write; paths in it are relative to it.
        only_sound: whether to leave out what the audit would refuse and can be left out: unreadable pictures, all of one picture that has
            two labels, and of a group on two sides what is not on the most protected one (test before gate, val and train).

    Raises:
        TrainingError: the data set is not of that kind, has a class that is not known, or is empty; or the manifest cannot be written.
    """
    if out.resolve() == request.path.resolve():
        raise TrainingError("`--out` is the file that the data set is built from, which must not change: give another file.")
    out.parent.mkdir(parents=True, exist_ok=True)
    request.beside = out.parent
    built = assemble(list(KINDS[kind](request)), request.skipped, only_sound=only_sound)
    manifests.write(out, built.rows)
    return built


def assemble(found: Sequence[LabelledPicture], skipped: Counter[str], *, only_sound: bool) -> Built:
    """Groups and splits pictures, after a look at each; `skipped` is counted on.

    Raises:
        TrainingError: there is none, or none is left.
    """
    if not found:
        raise TrainingError("The data set has no picture that can be used; see `lungline data build --help`.")
    with steps("data build: reading pictures", len(found)) as step:
        statistics = measure_all([each.path for each in found], step)
    pairs = likeness.by_modality([each.modality for each in found], statistics)
    rows = _rows(found, statistics, pairs)
    if only_sound:
        rows = _sound(rows, statistics, pairs, skipped)
        if not rows:
            raise TrainingError("Without its errors, nothing is left of the data set; build it without `--only-sound`, and check it.")
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row.group, set()).add(row.side)
    lost = 0 if only_sound else sum(measure is None for measure in statistics)
    return Built(tuple(rows), skipped, sum(len(each) > 1 for each in sides.values()), lost)


def _rows(found: Sequence[LabelledPicture], statistics: list[ImageStatistics | None], pairs: list[likeness.Pair]) -> list[Row]:
    groups = groups_of(found, statistics, pairs)
    return [
        Row(number, each.path, each.modality, each.label, each.patient, group, each.source, split)
        for number, (each, group, split) in enumerate(zip(found, groups, splits_of(found, groups), strict=True))
    ]


def _sound(rows: list[Row], statistics: list[ImageStatistics | None], pairs: list[likeness.Pair], skipped: Counter[str]) -> list[Row]:
    clashing = {n for a, b, alike in pairs if alike >= likeness.SAME and rows[a].label != rows[b].label for n in (a, b)}
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row.group, set()).add(row.split)
    kept = []
    for number, (row, measure) in enumerate(zip(rows, statistics, strict=True)):
        if measure is None:
            skipped["that cannot be read"] += 1
        elif number in clashing:
            skipped["that occur with two labels"] += 1
        elif row.split != most_protected(sides[row.group]):
            skipped["of a group that is on a more protected side too"] += 1
        else:
            kept.append(row)
    return kept
