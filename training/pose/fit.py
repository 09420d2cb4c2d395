"""Trains the pose network with Keras, and gives back plain arrays for numpy: batch normalisation is folded into the convolutions."""

import time
from typing import Final

import numpy as np
import numpy.typing as npt

from lungline.progress import say
from models.architectures.norms import MOMENTUM
from models.backend import keras
from models.pose import KINDS, PREPROCESS
from models.preprocess import PREPROCESSES
from training.pose.examples import PoseExamples

Weights = dict[str, npt.NDArray[np.float32]]

_STAGES: Final = ((5, 24), (3, 48), (3, 64), (3, 96))  # size of the kernel, channels
_BATCH: Final = 64
_STEPS: Final = 250  # an epoch
_RATE: Final = 3e-3
_SMOOTHING: Final = 0.02


EPOCHS: Final = 20


def fit(examples: PoseExamples, seed: int, epochs: int = EPOCHS) -> Weights:
    """Trains from nothing.

    Returns:
        What `models.pose.Network` takes, in half precision's values.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    network = _build()
    schedule = keras.optimizers.schedules.CosineDecay(_RATE / 10, _STEPS * (epochs - 1), warmup_target=_RATE, warmup_steps=_STEPS)
    network.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-3),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=_SMOOTHING),
        jit_compile=False,
    )
    for epoch in range(1, epochs + 1):
        began, losses = time.monotonic(), []
        for _ in range(_STEPS):
            pictures, kinds = examples.draw(_BATCH, rng)
            losses.append(float(network.train_on_batch(pictures, np.eye(len(KINDS), dtype=np.float32)[kinds])))
        say(f"pose: epoch {epoch} of {epochs}, loss {losses[-1]:.3f}, {time.monotonic() - began:.0f} s")
    return _plain(network)


def _build() -> keras.Model:
    side = PREPROCESSES[PREPROCESS]
    gray = keras.Input((side, side, 1))
    x = keras.layers.Rescaling(2.0, offset=-1.0)(gray)
    for stage, (size, channels) in enumerate(_STAGES, start=1):
        x = keras.layers.ZeroPadding2D(size // 2)(x)
        x = keras.layers.Conv2D(channels, size, strides=2, use_bias=False, name=f"convolution{stage}")(x)
        x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"norm{stage}")(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.Dropout(0.3)(keras.layers.Flatten()(x))
    return keras.Model(gray, keras.layers.Dense(len(KINDS), name="dense")(x))


def _plain(network: keras.Model) -> Weights:
    weights: Weights = {}
    for stage in range(1, len(_STAGES) + 1):
        (kernel,) = network.get_layer(f"convolution{stage}").get_weights()
        norm = network.get_layer(f"norm{stage}")
        scale, offset, mean, variance = norm.get_weights()
        factor = scale / np.sqrt(variance + norm.epsilon)
        weights[f"kernel{stage}"], weights[f"bias{stage}"] = kernel * factor, offset - mean * factor
    weights["dense"], weights["dense_bias"] = network.get_layer("dense").get_weights()
    return {name: array.astype(np.float16).astype(np.float32) for name, array in weights.items()}
