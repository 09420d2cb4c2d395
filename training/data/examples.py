"""Pictures with what they show, and how much each of them counts in a training. Loads no network library."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lungline.errors import TrainingError
from models.preprocess import Pixels
from training.recipes import Recipe


@dataclass(frozen=True)
class Labelled:
    """Pictures with what they show."""

    pictures: Pixels  # (n, side, side, 1)
    labels: npt.NDArray[np.str_]  # (n,), as the data calls them
    outputs: npt.NDArray[np.intp]  # (n,), index of the network's output that should answer
    sources: npt.NDArray[np.str_]  # (n,), where each comes from
    groups: npt.NDArray[np.str_]  # (n,), what belongs together
    kept: Path | None = None  # a folder for what a frozen base makes of them; None: it is kept in memory
    votes: npt.NDArray[np.float32] | None = None  # (n, outputs), a teacher's; None: labels alone are learnt


def example_weights(recipe: Recipe, train: Labelled) -> npt.NDArray[np.float32]:
    """How much each training example counts, with mean 1 over those that count at all.

    With `recipe.even` all count alike. With `recipe.shares`, each label gets its share, however many examples it has. Without, each
    source's weight (its number of examples) falls in equal parts on its outputs, and a source of one output alone counts for nothing: all
    that it could teach is how it looks. Nor does a source with fewer than `recipe.source_groups` groups of an output: what it could teach
    is how these patients look. Labels in `recipe.leaves_out` count for nothing.

    Returns:
        float32 (n,).

    Raises:
        TrainingError: nothing is left to learn from.
    """
    weights = np.zeros(len(train.labels), np.float32)
    if recipe.even:
        weights[:] = 1.0
    elif recipe.shares is not None:
        for label, share in recipe.shares.items():
            here = train.labels == label
            weights[here] = share / max(1, here.sum())
    else:
        for source in np.unique(train.sources):
            here = train.sources == source
            present = np.unique(train.outputs[here])
            groups = [len(np.unique(train.groups[here & (train.outputs == output)])) for output in present]
            if len(present) < 2 or min(groups) < recipe.source_groups:
                continue
            for output in present:
                cell = here & (train.outputs == output)
                weights[cell] = here.sum() / len(present) / cell.sum()
    weights[np.isin(train.labels, recipe.leaves_out)] = 0.0
    if not weights.any():
        raise TrainingError(f"The split `train` has nothing that recipe `{recipe.name}` can learn from: no source has two outputs.")
    weights /= weights[weights > 0].mean()
    return weights
