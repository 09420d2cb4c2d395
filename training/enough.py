"""Whether the data of a retraining are enough to learn from and to be judged by, before hours go into it. Loads no network library."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from lungline.errors import TrainingError
from lungline.findings import FINDINGS, Modality
from training import recipes
from training.manifests import Row
from training.recipes import Recipe
from training.snapshot import rows_of

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
        return f"The {modality.value} scans in `train` have one finding alone ({present[0]}): add others."
    if few := [finding for finding in FINDINGS[modality] if learnt[finding] < FEWEST]:
        return f"Fewer than {FEWEST} {modality.value} scans of {', '.join(few)} in `train`: add some."
    for split in ("val", "gate"):
        judged = {row.label for row in rows if row.split == split}  # not what a label is taken for: figures are about these alone
        if missing := [finding for finding in FINDINGS[modality] if finding not in judged]:
            return f"The split `{split}` has no {modality.value} scan of {', '.join(missing)}: add some."
    for recipe in asked:
        if not _has_source(recipe, [row for row in rows if row.split == "train"]):
            return (
                f"Recipe `{recipe.name}` learns from sources of two findings alone, of {recipe.source_groups} patients or more each, and "
                "`train` has none: add scans of both findings from one source."
            )
    return None


def _has_source(recipe: Recipe, rows: Sequence[Row]) -> bool:
    """Whether `training.fit.example_weights` would leave anything to learn from."""
    if recipe.even or recipe.shares is not None:
        return True
    groups: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        groups[row.origin][row.finding].add(row.group)
    return any(len(of) > 1 and min(map(len, of.values())) >= recipe.source_groups for of in groups.values())
