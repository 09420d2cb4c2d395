"""Compiles a network for training: the optimiser, its rate and the loss that a recipe says."""

from typing import Final

from lungline.errors import TrainingError
from models.backend import jit, keras
from training.recipes import Recipe

_PLAIN: Final = {"adam": "Adam", "sgd": "SGD", "adagrad": "Adagrad"}  # those that Keras knows, by its own settings but the rate


def compile_network(network: keras.Model, recipe: Recipe, batches: int, epochs: int) -> None:
    """Compiles `network`, which answers with logits.

    Args:
        network: what is trained.
        recipe: its optimiser, rate and loss.
        batches: steps an epoch.
        epochs: over which AdamW's rate falls.

    Raises:
        TrainingError: there is no such optimiser or loss.
    """
    network.compile(optimizer=_optimiser(recipe, batches, epochs), loss=_loss(recipe), jit_compile=jit())


def _optimiser(recipe: Recipe, batches: int, epochs: int) -> keras.optimizers.Optimizer:
    if recipe.optimiser in _PLAIN:
        rate = recipe.learning_rate
        if recipe.decay:  # Keras 3 has no `decay`; this says the same
            rate = keras.optimizers.schedules.InverseTimeDecay(rate, decay_steps=1, decay_rate=recipe.decay)
        return getattr(keras.optimizers, _PLAIN[recipe.optimiser])(rate)
    if recipe.optimiser != "adamw":
        raise TrainingError(f"Recipe `{recipe.name}`: `optimiser` takes adamw, {', '.join(_PLAIN)}.")
    warmup = min(recipe.warmup_epochs * batches, epochs * batches // 2)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps=max(1, epochs * batches - warmup), warmup_target=recipe.learning_rate, warmup_steps=warmup
    )
    optimiser = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay)
    optimiser.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimiser


def _loss(recipe: Recipe) -> keras.losses.Loss:
    if recipe.loss == "categorical":
        return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)
    if recipe.loss == "binary":
        return _BinaryOfSoftmax()
    raise TrainingError(f"Recipe `{recipe.name}`: `loss` takes categorical or binary.")


class _BinaryOfSoftmax(keras.losses.Loss):  # type: ignore[misc]
    """Each output's binary cross-entropy, of the softmax of logits: for two outputs, the categorical one.

    Not `keras.losses.binary_crossentropy`: on TensorFlow it finds the logits behind a softmax, and takes the sigmoid of these.
    """

    def call(self, wanted: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        tiny = keras.config.epsilon()
        votes = keras.ops.clip(keras.ops.softmax(logits), tiny, 1 - tiny)
        return -keras.ops.mean(wanted * keras.ops.log(votes) + (1 - wanted) * keras.ops.log(1 - votes), axis=-1)
