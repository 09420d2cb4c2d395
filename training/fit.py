"""The training loop: from labelled pictures to the network of the best validation epoch. It is given train and val, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lungline.errors import TrainingError
from lungline.progress import say, steps
from models.architectures import build
from models.backend import jit, keras
from models.calibration import probabilities
from models.engines.keras import KerasEngine
from models.preprocess import Pixels
from training.augment import augment
from training.figures import macro_auroc
from training.recipes import Recipe


@dataclass(frozen=True)
class Labelled:
    """Pictures with what they show."""

    pictures: Pixels  # (n, side, side, 1)
    labels: npt.NDArray[np.str_]  # (n,), as the data calls them
    outputs: npt.NDArray[np.intp]  # (n,), index of the network's output that should answer


@dataclass(frozen=True)
class Fitted:
    """A trained network, with the weights of its best epoch."""

    network: keras.Model
    epochs: int  # that were run
    best_epoch: int  # from 1


def fit(
    recipe: Recipe, train: Labelled, val: Labelled, *, seed: int, epochs: int, load_base: Callable[[keras.Model], None] | None
) -> Fitted:
    """Trains by `recipe`. The same seed, data, base and machine give the same weights.

    Stops when validation macro AUROC has not risen for `recipe.patience` epochs; only labels that are outputs themselves are judged
    (for CT, `cap` and `normal` train as `non_covid`, but would flatter the figure: their sources hold no covid19).

    Raises:
        TrainingError: the loss is no number any more, or validation lacks an output.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    network = build(recipe.architecture, len(recipe.outputs), load_base)
    batches = -(-len(train.pictures) // recipe.batch)
    _compile(network, recipe, batches, epochs)
    weights = _example_weights(recipe, train.labels)
    wanted = np.eye(len(recipe.outputs), dtype=np.float32)[train.outputs]
    best_auroc, best_epoch, best_weights = -1.0, 0, network.get_weights()
    epoch = 0
    for epoch in range(1, epochs + 1):
        losses = []
        with steps(f"{recipe.name} epoch {epoch} of {epochs}", batches) as step:
            for batch in np.array_split(rng.permutation(len(train.pictures)), batches):
                pictures = augment(train.pictures[batch], recipe.augment, rng)
                losses.append(float(network.train_on_batch(pictures, wanted[batch], sample_weight=weights[batch])))
                step()
        if not np.isfinite(losses).all():
            raise TrainingError("The loss is no number any more; lower `learning_rate` in the recipe.")
        auroc = validation_auroc(recipe, val, KerasEngine(network).run(val.pictures))
        say(f"{recipe.name}: epoch {epoch} of {epochs}, loss {np.mean(losses):.3f}, validation macro AUROC {auroc:.3f}")
        if auroc > best_auroc:
            best_auroc, best_epoch, best_weights = auroc, epoch, network.get_weights()
        elif epoch - best_epoch >= recipe.patience:
            break
    network.set_weights(best_weights)
    return Fitted(network, epoch, best_epoch)


def validation_auroc(recipe: Recipe, val: Labelled, logits: npt.NDArray[np.floating]) -> float:
    """Mean over outputs of the AUROC of one against the rest, on the labels that are outputs themselves."""
    judged = np.isin(val.labels, recipe.outputs)
    outputs = val.outputs[judged]
    if len(np.unique(outputs)) < len(recipe.outputs):
        raise TrainingError("The split `val` lacks an example of one of the recipe's outputs.")
    return macro_auroc(probabilities(logits[judged], 1.0), outputs)


def _compile(network: keras.Model, recipe: Recipe, batches: int, epochs: int) -> None:
    warmup = min(recipe.warmup_epochs * batches, epochs * batches // 2)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps=max(1, epochs * batches - warmup), warmup_target=recipe.learning_rate, warmup_steps=warmup
    )
    optimiser = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay)
    optimiser.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)
    network.compile(optimizer=optimiser, loss=loss, jit_compile=jit())


def _example_weights(recipe: Recipe, labels: npt.NDArray[np.str_]) -> npt.NDArray[np.float32]:
    """Weights with mean 1 that give each label its share, however many examples it has."""
    present = {label: share for label, share in recipe.shares.items() if np.any(labels == label)}
    weights = np.zeros(len(labels), np.float32)
    for label, share in present.items():
        weights[labels == label] = share / np.sum(labels == label)
    weights /= weights.mean()
    return weights
