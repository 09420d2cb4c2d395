"""The training loop: from labelled pictures to the network of the best validation epoch. It is given train and val, and nothing else."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lungline.errors import TrainingError
from lungline.progress import say, steps
from models.architectures import build
from models.backend import keras
from models.calibration import probabilities
from models.records import Epoch
from models.runtimes.keras import KerasRuntime
from training.data.examples import Labelled, example_weights
from training.fitting.checkpoint import Checkpoint, TrainingState
from training.fitting.features import Shelf
from training.fitting.learner import learner
from training.fitting.optimise import compile_network
from training.metrics.figures import accuracy, macro_auroc
from training.recipes import Recipe


@dataclass(frozen=True)
class Fitted:
    """A trained network, with the weights of its best epoch."""

    network: keras.Model
    epochs: int  # that were run
    best_epoch: int  # from 1
    curve: tuple[Epoch, ...]


def fit(
    recipe: Recipe,
    train: Labelled,
    val: Labelled,
    *,
    seed: int,
    epochs: int,
    load_base: Callable[[keras.Model], None] | None,
    checkpoint: Checkpoint,
) -> Fitted:
    """Trains by `recipe`. The same seed, data, base and machine give the same weights, killed and run again or not.

    Stops when validation macro AUROC has not risen for `recipe.patience` epochs; only labels that are outputs themselves are judged
    (for CT, `cap` and `normal` train as `non_covid`, but would flatter the figure: most of their sources hold no covid19).

    Without base weights nothing stays frozen, whatever the recipe says: random features are worth nothing.

    Raises:
        TrainingError: the loss is no number any more, or train or validation lack an output.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    network = build(recipe.architecture, len(recipe.outputs), load_base)
    if load_base:
        freeze(network, recipe)
    else:
        network.trainable = True
    weights = example_weights(recipe, train)
    used = np.flatnonzero(weights)
    batches = -(-len(used) // recipe.batch)
    shown = learner(recipe, network, train.pictures[used], val.pictures, Shelf(train.kept))
    trained = shown.network
    compile_network(trained, recipe, batches, epochs)
    wanted = np.eye(len(recipe.outputs), dtype=np.float32)[train.outputs]
    if train.votes is not None:
        wanted = (1 - recipe.votes) * wanted + recipe.votes * train.votes
    state = checkpoint.restore(trained, rng) or TrainingState(0, 0, -1.0, trained.get_weights(), trained.get_weights())
    if state.epoch:
        say(f"{recipe.name}: goes on after epoch {state.epoch}")
    while state.epoch < epochs and not _is_stale(recipe, state):
        state.epoch += 1
        losses, began = [], time.monotonic()
        with steps(f"{recipe.name} epoch {state.epoch} of {epochs}", batches) as step:
            for order in np.array_split(rng.permutation(len(used)), batches):
                batch = used[order]
                losses.append(float(trained.train_on_batch(shown.batch(order, rng), wanted[batch], sample_weight=weights[batch])))
                step()
        if not np.isfinite(losses).all():
            raise TrainingError("The loss is no longer a number; lower `learning_rate` in the recipe.")
        latest = trained.get_weights()
        keep = recipe.average if state.epoch > 1 else 0.0
        state.average = [keep * before + (1 - keep) * now for before, now in zip(state.average, latest, strict=True)]
        trained.set_weights(state.average)
        found = validation(recipe, val, KerasRuntime(trained).run(shown.asked))
        trained.set_weights(latest)
        auroc = found["auroc"]
        # Of equals the latest: where all are perfect, it has the widest margin.
        if auroc >= state.best_auroc or recipe.patience is None:
            state.best_auroc, state.best_epoch, state.best = auroc, state.epoch, state.average
        seconds = time.monotonic() - began
        loss = float(np.mean(losses))
        scores = {f"validation_{name}": round(value, 5) for name, value in found.items()}
        state.curve.append(Epoch(epoch=state.epoch, loss=round(loss, 5), seconds=round(seconds, 2), **scores))
        _tell(recipe, state, epochs)
        checkpoint.write(trained, rng, state)
    trained.set_weights(state.best)
    return Fitted(network, state.epoch, state.best_epoch, tuple(state.curve))


def freeze(network: keras.Model, recipe: Recipe) -> None:
    """Leaves parts of a public base as they are: what the architecture does not train, and what `recipe` says besides."""
    (base,) = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    names = [layer.name for layer in base.layers]
    first = names.index(recipe.tuned_from) if recipe.tuned_from else 0
    for number, layer in enumerate(base.layers):
        if number < first or (recipe.frozen_norms and isinstance(layer, keras.layers.BatchNormalization)):
            layer.trainable = False


def _is_stale(recipe: Recipe, state: TrainingState) -> bool:
    return recipe.patience is not None and state.epoch - state.best_epoch >= recipe.patience


def _tell(recipe: Recipe, state: TrainingState, epochs: int) -> None:
    """One line an epoch; what is left is at most so long, as it may stop early."""
    latest = state.curve[-1]
    left = (epochs - state.epoch) * float(np.mean([epoch.seconds for epoch in state.curve]))
    say(
        f"{recipe.name}: epoch {state.epoch} of {epochs}, loss {latest.loss:.3f}, "
        f"validation macro AUROC {latest.validation_auroc:.3f}, at most {_duration(left)} left"
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def validation(recipe: Recipe, val: Labelled, logits: npt.NDArray[np.floating]) -> dict[str, float]:
    """On the labels that are outputs themselves: `auroc`, the mean over outputs of one against the rest; `loss`, the mean cross-entropy
    (of the labels as they are, unlike the loss that is trained on); `accuracy`."""
    counted = np.isin(val.labels, recipe.outputs)
    outputs = val.outputs[counted]
    if missing := [output for number, output in enumerate(recipe.outputs) if number not in outputs]:
        raise TrainingError(
            f"The split `val` has no scan labelled {', '.join(missing)}, which recipe `{recipe.name}` must learn: "
            "add such scans, then `lungline data build`."
        )
    votes = probabilities(logits[counted], 1.0)
    loss = float(-np.log(np.maximum(votes[np.arange(len(outputs)), outputs], 1e-12)).mean())
    return {"auroc": macro_auroc(votes, outputs), "loss": loss, "accuracy": accuracy(votes, outputs)}
