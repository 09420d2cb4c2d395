"""The network of the pyimagesearch tutorial: VGG16 as it is, averaged over the picture, and two dense layers."""

from collections.abc import Callable

from models.architectures.backbone import SIDE, backbone
from models.backend import keras


def vgg16_pyimage(outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model:
    """Builds it.

    Source: Rosebrock, "Detecting COVID-19 in X-ray images with Keras, TensorFlow, and Deep Learning" (pyimagesearch, 2020).

    Args:
        outputs: the number of logits.
        load_base: fills VGG16 (`include_top=False`) with weights; without it all are random.

    Returns:
        A model from float32 (batch, 224, 224, 1), gray in [0, 1], to float32 logits (batch, outputs).
    """
    gray = keras.Input((SIDE, SIDE, 1), name="gray")
    x = keras.layers.AveragePooling2D(4, name="average")(backbone("VGG16", gray, load_base))
    x = keras.layers.Dense(64, activation="relu", name="dense")(keras.layers.Flatten(name="flatten")(x))
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    return keras.Model(gray, keras.layers.Dense(outputs, name="logits")(x), name="vgg16_pyimage")
