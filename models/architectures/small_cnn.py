"""A small convolutional network for coarse questions about a whole picture, such as what kind of picture it is."""

from collections.abc import Callable

from models.architectures.norms import MOMENTUM
from models.backend import keras

SIDE = 96

_WIDTHS = (16, 32, 64, 128)


def small_cnn(outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model:
    """Builds four stages of convolution, batch normalisation and pooling, averaged over the picture, and one dense layer.

    100,000 parameters, 10 million multiply-adds a picture. There are no public weights for it: `load_base` is not called.

    Args:
        outputs: the number of logits.
        load_base: ignored; every architecture takes it.

    Returns:
        A model from float32 (batch, 96, 96, 1), gray in [0, 1], to float32 logits (batch, outputs).
    """
    gray = keras.Input((SIDE, SIDE, 1), name="gray")
    x = keras.layers.Rescaling(2.0, offset=-1.0, name="rescale")(gray)
    for stage, width in enumerate(_WIDTHS, start=1):
        x = keras.layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"conv{stage}")(x)
        x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"norm{stage}")(x)
        x = keras.layers.ReLU(name=f"relu{stage}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"pool{stage}")(x)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    x = keras.layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(gray, keras.layers.Dense(outputs, name="logits")(x), name="small_cnn")
