"""A system as it was published: its own head, split and epochs, picture by picture; and what that protocol's figure is worth."""

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from lungline.errors import TrainingError
from models.calibration import probabilities
from models.records import AsPublished, Evaluation, PublishedFigure, ReproducedFigure
from training.data.examples import Labelled
from training.fitting.training_sets import labelled
from training.metrics import figures
from training.predictions.measure import counts
from training.predictions.predict import Predictions
from training.recipes import Published, Recipe

SUFFIX: Final = "-as-published"


def split_as_published(recipe: Recipe, predictions: Predictions, seed: int) -> tuple[Recipe, Labelled, Labelled]:
    """What the published system trains on, and what it holds out: both out of our rows `train` and `val`, whatever their group.

    The share that is held out is taken of each output, which is what most articles do and none says it does not.

    Args:
        recipe: with the system that it answers to.
        predictions: of the labelled scans.
        seed: of the split, where the system has none of its own.

    Returns:
        The recipe by its own head and protocol; what it trains on; and what steers and judges it.

    Raises:
        TrainingError: no system was published behind this recipe, or a picture cannot be read.
    """
    if recipe.published is None:
        raise TrainingError(f"`--as-published`: recipe `{recipe.name}` belongs to no published system.")
    published = recipe.published
    data = predictions.data(recipe.modality)
    others = {example.label for example in data.examples} - set(published.outputs)
    own = dataclasses.replace(
        recipe,
        name=recipe.name + SUFFIX,
        outputs=published.outputs,
        leaves_out=tuple(sorted(others)),
        even=True,
        epochs=published.epochs,
        patience=None,
    )
    both = _joined(*(labelled(own, data, split, predictions) for split in ("train", "val")))  # gate and test stay unseen
    learnt, held = _drawn(published, both, np.random.default_rng(seed if published.seed is None else published.seed))
    return own, _rows(both, learnt), _rows(both, held)


def compare(published: Published, logits: npt.NDArray[np.floating], train: Labelled, held: Labelled) -> AsPublished:
    """What `member.json` says of it: protocol, its figures on what was held out, the published figure, and what is wrong.

    Args:
        published: the system.
        logits: (n, outputs), the network's answers to `held`.
        train: what it was trained on.
        held: what steered and judges it.
    """
    votes, groups, outputs = probabilities(logits, 1.0), held.groups, published.outputs

    def of(rows: figures.Rows) -> dict[str, float]:
        scores = {"accuracy": figures.accuracy(votes[rows], held.outputs[rows])}
        for number, output in enumerate(outputs):
            figure = figures.of_output(votes[rows], held.outputs[rows], number)
            scores |= {f"{output}_{name}": value for name, value in figure.items()}
        return scores

    measured = figures.with_intervals(groups, of)
    torn = int(np.isin(groups, train.groups).sum())
    wrong = list(published.wrong)
    wrong.append(f"Here {torn} of the {len(groups)} held-out pictures are of a patient, or near copies of a picture, that was trained on.")
    return AsPublished(
        system=published.system,
        protocol=_protocol(published, len(train.labels), len(groups)),
        figure=ReproducedFigure.model_validate({"metric": published.metric, **measured[published.metric].model_dump(exclude_unset=True)}),
        published=PublishedFigure(metric=published.metric, value=published.value, on=published.said),
        wrong=tuple(wrong),
        unstated=published.unstated,
        otherwise=published.otherwise,
        figures=Evaluation.of(measured, **counts(groups), confusion=figures.confusion(votes, held.outputs, outputs)),
    )


def _protocol(published: Published, trained: int, held: int) -> str:
    aside = f"{published.set_aside:.0%} set aside, then " if published.set_aside else ""
    even = ", as many of each output" if published.balanced else ""
    return (
        f"Picture by picture out of the rows `train` and `val`, of every source{even}: {aside}{published.held_out:.0%} held out ({held} "
        f"pictures), which are validation and test at once; trained on {trained} pictures; no early stopping, the last epoch counts."
    )


def _drawn(published: Published, both: Labelled, rng: np.random.Generator) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows to train on, and rows that are held out."""
    of_outputs = [rng.permutation(np.flatnonzero(both.labels == output)) for output in published.outputs]
    if published.balanced:
        fewest = min(len(rows) for rows in of_outputs)
        of_outputs = [rows[:fewest] for rows in of_outputs]
    learnt, held = [], []
    for output, rows in zip(published.outputs, of_outputs, strict=True):
        rows = rows[round(published.set_aside * len(rows)) :]
        count = max(1, round(published.held_out * len(rows)))
        if len(rows) - count < 1:
            raise TrainingError(f"`--as-published` needs two pictures labelled `{output}` in the splits `train` and `val`.")
        learnt.append(rows[count:])
        held.append(rows[:count])
    return np.sort(np.concatenate(learnt)), np.sort(np.concatenate(held))


def _joined(first: Labelled, other: Labelled) -> Labelled:
    return Labelled(
        np.concatenate([first.pictures, other.pictures]),
        np.concatenate([first.labels, other.labels]),
        np.concatenate([first.outputs, other.outputs]),
        np.concatenate([first.sources, other.sources]),
        np.concatenate([first.groups, other.groups]),
        kept=first.kept,
    )


def _rows(of: Labelled, rows: npt.NDArray[np.intp]) -> Labelled:
    return Labelled(of.pictures[rows], of.labels[rows], of.outputs[rows], of.sources[rows], of.groups[rows], kept=of.kept)
