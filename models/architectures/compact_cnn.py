"""A small residual network that is trained from nothing: a second opinion that owes nothing to photographs."""

from collections.abc import Callable

from models.architectures.norms import MOMENTUM
from models.backend import keras

SIDE = 128

_WIDTHS = (24, 48, 96, 144)


def compact_cnn(outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model:
    """Builds a stem that halves the picture, four residual stages of two convolutions, halved between, and one dense layer.

    Reference for the blocks: He et al., "Identity Mappings in Deep Residual Networks" (ECCV 2016), https://arxiv.org/abs/1603.05027.
    500,000 parameters, 0.1 billion multiply-adds a picture. There are no public weights for it: `load_base` is not called.

    Args:
        outputs: the number of logits.
        load_base: ignored; every architecture takes it.

    Returns:
        A model from float32 (batch, 128, 128, 1), gray in [0, 1], to float32 logits (batch, outputs).
    """
    gray = keras.Input((SIDE, SIDE, 1), name="gray")
    x = keras.layers.Rescaling(2.0, offset=-1.0, name="rescale")(gray)
    x = keras.layers.Conv2D(_WIDTHS[0], 5, strides=2, padding="same", use_bias=False, name="stem")(x)
    for stage, width in enumerate(_WIDTHS, start=1):
        if stage > 1:
            x = keras.layers.MaxPooling2D(2, name=f"pool{stage}")(x)
        x = _block(x, width, f"stage{stage}")
    x = _norm_relu(x, "last")
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    x = keras.layers.Dropout(0.3, name="dropout")(x)
    return keras.Model(gray, keras.layers.Dense(outputs, name="logits")(x), name="compact_cnn")


def _block(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    """Two convolutions beside a way around them."""
    around = keras.layers.Conv2D(width, 1, use_bias=False, name=f"{name}_around")(x)
    for number in (1, 2):
        x = _norm_relu(x, f"{name}_{number}")
        x = keras.layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_{number}_conv")(x)
    return keras.layers.Add(name=f"{name}_add")([x, around])


def _norm_relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
