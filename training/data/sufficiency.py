"""Whether the data of a retraining are enough to learn from and to be judged by, before hours go into it. Loads no network library."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from lungline.errors import TrainingError
from lungline.findings import FINDINGS, Modality
from training import recipes
from training.data.examples import Labelled, example_weights
from training.data.manifests import Row
from training.data.snapshot import rows_of
from training.recipes import Recipe

FEWEST: Final = 10  # scans of a finding to learn from


def sufficient(folder: Path, names: Sequence[str]) -> set[str]:
    """The modalities that `require` lets pass."""
    found = set()
    for modality in Modality:
        with suppress(TrainingError):
            require(folder, [modality], names)
            found.add(modality.value)
    return found


def require(folder: Path, modalities: Iterable[Modality], names: Sequence[str]) -> None:
    """Refuses data of which nothing can be learnt or judged, and tells all that is missing.

    Args:
        folder: of the snapshot.
        modalities: that are to be retrained.
        names: of the recipes that are to be trained.

    Raises:
        TrainingError: for a modality there is one finding alone in `train`, or fewer than ten scans of one, or no source that a recipe
            could learn from; or none of a finding in `val` or `gate`.
    """
    asked = [recipes.load(name) for name in names]
    faults = []
    for modality in modalities:
        fault = _fault(modality, rows_of(folder, modality), [recipe for recipe in asked if recipe.modality is modality])
        if fault:
            faults.append(fault)
    if faults:
        raise TrainingError(" ".join(faults))


def _fault(modality: Modality, rows: Sequence[Row], asked: Sequence[Recipe]) -> str | None:
    learnt = Counter(row.finding for row in rows if row.split == "train")
    present = [finding for finding in FINDINGS[modality] if learnt[finding]]
    if not present:
        return f"There is no {modality.value} scan in `train`: add at least {FEWEST} of each finding."
    if len(present) < 2:
        return f"The {modality.value} scans in `train` have only one finding ({present[0]}): add others."
    if few := [finding for finding in FINDINGS[modality] if learnt[finding] < FEWEST]:
        return f"Fewer than {FEWEST} {modality.value} scans of {', '.join(few)} in `train`: add some."
    for split in ("val", "gate"):
        evaluated = {row.label for row in rows if row.split == split}  # not what a label is taken for: figures are about these alone
        if missing := [finding for finding in FINDINGS[modality] if finding not in evaluated]:
            return f"The split `{split}` has no {modality.value} scan of {', '.join(missing)}: add some."
    for recipe in asked:
        if not _teaches(recipe, [row for row in rows if row.split == "train" and row.finding in FINDINGS[modality]]):
            return (
                f"Recipe `{recipe.name}` learns only from sources that have two findings, with {recipe.source_groups} patients or "
                f"more each, and "
                "`train` has none: add scans of both findings from one source."
            )
    return None


def _teaches(recipe: Recipe, rows: Sequence[Row]) -> bool:
    """Whether a training by this recipe would have anything to learn from."""
    labels, sources, groups = (np.array([getattr(row, name) for row in rows]) for name in ("label", "origin", "group"))
    outputs = np.array([recipe.outputs.index(recipe.output_of(row.label)) for row in rows], np.intp)
    try:
        example_weights(recipe, Labelled(np.empty((len(rows), 0, 0, 1), np.float32), labels, outputs, sources, groups))
    except TrainingError:
        return False
    return True
