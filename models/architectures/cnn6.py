"""The published small network: six convolutions that halve the picture each, and one dense layer, trained from nothing."""

from collections.abc import Callable

from models.architectures.norms import MOMENTUM
from models.backend import keras

SIDE = 300

_WIDTHS = (2, 4, 8, 16, 32, 64)


def cnn6(outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model:
    """Builds it. The article names no initialiser and no strength of L2: these are He's and Keras' own.

    Source: "Corona detection from X-ray images using deep learning" (Analytics Vidhya, Medium, 2020).

    Args:
        outputs: the number of logits.
        load_base: ignored; every architecture takes it.

    Returns:
        A model from float32 (batch, 300, 300, 1), gray in [0, 1], to float32 logits (batch, outputs).
    """
    gray = keras.Input((SIDE, SIDE, 1), name="gray")
    x = keras.layers.Concatenate(name="repeat")([gray, gray, gray])
    for stage, width in enumerate(_WIDTHS, start=1):
        x = keras.layers.Conv2D(
            width, 3, padding="same", activation="relu", kernel_initializer="he_uniform", kernel_regularizer="l2", name=f"conv{stage}"
        )(x)
        x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"norm{stage}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"pool{stage}")(x)
    x = keras.layers.Dropout(0.5, name="dropout")(keras.layers.Flatten(name="flatten")(x))
    return keras.Model(gray, keras.layers.Dense(outputs, name="logits")(x), name="cnn6")
