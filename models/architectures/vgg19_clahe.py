"""The published network for pictures whose contrast CLAHE has evened: VGG19 as it is, averaged over the picture, and two dense layers."""

from collections.abc import Callable

from models.architectures.backbone import SIDE, backbone
from models.backend import keras


def vgg19_clahe(outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model:
    """Builds it. That the wide layer is a ReLU is not stated in the article.

    Source: "Classification and detection of COVID-19 in chest radiographs using deep learning and IBM Visual Recognition" (Medium, 2020).

    Args:
        outputs: the number of logits.
        load_base: fills VGG19 (`include_top=False`) with weights; without it all are random.

    Returns:
        A model from float32 (batch, 224, 224, 1), gray in [0, 1], to float32 logits (batch, outputs).
    """
    gray = keras.Input((SIDE, SIDE, 1), name="gray")
    x = keras.layers.GlobalAveragePooling2D(name="average")(backbone("VGG19", gray, load_base))
    x = keras.layers.Dense(514, activation="relu", name="dense")(x)
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    return keras.Model(gray, keras.layers.Dense(outputs, name="logits")(x), name="vgg19_clahe")
