"""What a recipe trains and stops on: preprocessed pictures with their outputs; for admission, with made ones besides."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from imaging import phantoms
from imaging.read import read
from lungline.errors import TrainingError
from lungline.findings import Modality
from models.admission import NEITHER
from models.preprocess import Pixels, prepare
from training.data import synthetic_negatives
from training.data.datasets import DataSet, Example
from training.data.examples import Labelled
from training.fitting.augment import augment
from training.predictions.predict import Predictions
from training.recipes import Recipe

_MADE: Final = "made"  # the source of pictures that no data set holds

# For each stranger of the data so many guises of it; and beside them, as shares of the data's strangers, tiny parts of scans, drawings, and
# drawn chests of each modality.
_GUISES: Final = 2
_TINY_PARTS: Final = 0.5
_DRAWN: Final = 0.75
_DRAWN_CHESTS: Final = 0.2

_CHEST_SEEDS: Final = 10_000  # from here on, so that none is drawn that a demonstration or a test shows


def labelled(recipe: Recipe, data: DataSet, split: str, predictions: Predictions) -> Labelled:
    """The pictures of a split.

    Raises:
        TrainingError: a picture is missing or unreadable, or has a label that the recipe does not know.
    """
    examples = data.split(split)
    outputs = _outputs(recipe, examples)
    pictures = predictions.pictures(recipe.preprocess, recipe.modality, split)
    labels, sources, groups = (np.array([getattr(example, name) for example in examples]) for name in ("label", "origin", "group"))
    return Labelled(pictures, labels, outputs, sources, groups, kept=predictions.kept)


def with_doubles(recipe: Recipe, train: Labelled, seed: int) -> Labelled:
    """The training pictures of a recipe, and a changed copy of each of its rarest output's."""
    rng = np.random.default_rng(seed)
    learnt = ~np.isin(train.labels, recipe.leaves_out)
    rarest = np.bincount(train.outputs[learnt], minlength=len(recipe.outputs)).argmin()
    rows = np.flatnonzero(learnt & (train.outputs == rarest))
    copies = augment(train.pictures[rows], recipe.augment, rng) if len(rows) else train.pictures[rows]
    more = [np.concatenate([column, column[rows]]) for column in (train.labels, train.outputs, train.sources, train.groups)]
    labels, outputs, sources, groups = more
    return Labelled(np.concatenate([train.pictures, copies]), labels, outputs, sources, groups, kept=train.kept)


def with_made(recipe: Recipe, data: DataSet, train: Labelled, seed: int) -> Labelled:
    """The training pictures of an admission recipe, and made ones besides.

    More strangers: guises of those in the data, tiny parts of scans, and drawings. And drawn chests, which count as scans: they are what a
    new installation is tried with (`lungline demo`), as physical chest phantoms are elsewhere.
    """
    rng = np.random.default_rng(seed)
    examples = data.split("train")
    known = [example for example in examples if example.label == NEITHER]
    scans = [example for example in examples if example.label != NEITHER]
    made: list[tuple[Pixels, str]] = []
    for example in known:
        made += [(guise, NEITHER) for guise in synthetic_negatives.guises(_gray(example), _GUISES, rng)]
    for number in rng.permutation(len(scans))[: round(_TINY_PARTS * len(known))]:
        made.append((synthetic_negatives.tiny_part(_gray(scans[number]), rng), NEITHER))
    made += [(drawing, NEITHER) for drawing in synthetic_negatives.drawn(round(_DRAWN * len(known)), rng)]
    for number in range(round(_DRAWN_CHESTS * len(known))):
        for modality in Modality:
            chest = phantoms.picture(modality.value, _CHEST_SEEDS + number, int(rng.integers(96, 512)))
            made.append((chest.astype(np.float32) / np.float32(255), modality.value))
    pictures, labels = zip(*made, strict=True)
    return Labelled(
        np.concatenate([train.pictures, np.stack([prepare(recipe.preprocess, pixels) for pixels in pictures])]),
        np.concatenate([train.labels, labels]),
        np.concatenate([train.outputs, np.array([recipe.outputs.index(label) for label in labels], np.intp)]),
        np.concatenate([train.sources, np.full(len(made), _MADE)]),
        np.concatenate([train.groups, [f"{_MADE} {number}" for number in range(len(made))]]),
    )


def _outputs(recipe: Recipe, examples: Sequence[Example]) -> npt.NDArray[np.intp]:
    """The output that answers for each example; any for one that is left out, which counts for nothing."""
    try:
        known = (recipe.outputs[0] if example.label in recipe.leaves_out else recipe.output_of(example.label) for example in examples)
        return np.array([recipe.outputs.index(output) for output in known], np.intp)
    except (KeyError, ValueError):
        raise TrainingError(f"The manifest in LUNGLINE_TRAINING_DATA has a label that recipe `{recipe.name}` does not know.") from None


def _gray(example: Example) -> Pixels:
    return read(example.path.read_bytes()).pixels
