"""Leaving one source out: how a recipe judges pictures of a source that it learnt nothing from. It is the nearest to a new hospital."""

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lungline.errors import TrainingError
from lungline.progress import say
from models.backend import keras
from models.calibration import probabilities
from models.ensemble import fold
from models.records import Metrics
from models.runtimes.keras import KerasRuntime
from training.data.examples import Labelled, example_weights
from training.fitting.checkpoint import Checkpoint
from training.fitting.loop import fit
from training.fitting.training_sets import with_doubles
from training.metrics import figures
from training.metrics.figures import Rows, with_intervals
from training.predictions.measure import SplitPredictions, contrasts, counts
from training.recipes import Recipe


def leave_each_source_out(
    recipe: Recipe,
    splits: tuple[Labelled, Labelled, Labelled],
    predicted: SplitPredictions,
    load_base: Callable[[keras.Model], None] | None,
    seed: int,
) -> Metrics:
    """Trains by `recipe` as often as there are sources of two findings in what was judged, each time without one, and asks about that one.

    Args:
        recipe: with as many epochs as the member had.
        splits: train, val, and the split that was judged.
        predicted: what the member itself said of that split; tells which pictures and sources count.
        load_base: fills the base with weights.
        seed: of the trainings.

    Returns:
        Within each source that could be left out: macro_auroc, covid19_auroc, balanced_accuracy. A source cannot be left out if train or
        val would lack an output without it.
    """
    train, val, asked = splits
    within = {}
    for source in contrasts(predicted):
        without = [_rows(part, part.sources != source) for part in (train, val)]
        if not _teaches(recipe, *without):
            say(f"{recipe.name}: {source} cannot be left out, as a finding would be without an example")
            continue
        say(f"{recipe.name}: trained without {source}")
        here = np.flatnonzero(predicted.sources == source)
        votes = _votes(recipe, without[0], without[1], _rows(asked, np.isin(asked.labels, predicted.findings)), load_base, seed)[here]
        wanted, groups = predicted.wanted[here], predicted.groups[here]

        def measure(drawn: Rows, votes: figures.Votes = votes, wanted: figures.Wanted = wanted) -> dict[str, float]:
            return {
                "macro_auroc": figures.occurring_auroc(votes[drawn], wanted[drawn], wanted),
                f"{predicted.findings[0]}_auroc": figures.first_auroc(votes[drawn], wanted[drawn]),
                "balanced_accuracy": figures.balanced_accuracy(votes[drawn], wanted[drawn], wanted),
            }

        within[source] = Metrics.of(with_intervals(groups, measure), **counts(groups))
    return Metrics.of({}, within_source=within)


def _votes(
    recipe: Recipe, train: Labelled, val: Labelled, asked: Labelled, load_base: Callable[[keras.Model], None] | None, seed: int
) -> figures.Votes:
    """Of a training of its own, on the findings of the modality."""
    assert recipe.modality is not None
    if recipe.doubles_smallest:
        train = with_doubles(recipe, train, seed)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder) / "left-out.npz", "")
        fitted = fit(recipe, train, val, seed=seed, epochs=recipe.epochs, load_base=load_base, checkpoint=checkpoint)
    logits = KerasRuntime(fitted.network).run(asked.pictures)
    return probabilities(logits, 1.0) @ fold(recipe.modality, recipe.name, recipe.outputs)


def _teaches(recipe: Recipe, train: Labelled, val: Labelled) -> bool:
    """Whether every output has an example to learn from, and one to stop by."""
    try:
        learnt = train.outputs[example_weights(recipe, train) > 0]
    except TrainingError:
        return False
    stops = val.outputs[np.isin(val.labels, recipe.outputs)]
    return len(np.unique(learnt)) == len(np.unique(stops)) == len(recipe.outputs)


def _rows(of: Labelled, chosen: npt.NDArray[np.bool_]) -> Labelled:
    return dataclasses.replace(
        of,
        pictures=of.pictures[chosen],
        labels=of.labels[chosen],
        outputs=of.outputs[chosen],
        sources=of.sources[chosen],
        groups=of.groups[chosen],
    )
