"""The four networks of the published Flask detector: an ImageNet base, flattened, dropout, and one dense layer.

Source: the "Covid19-Detection" web application, X-ray and CT, 224 x 224 RGB, / 255; VGG16, ResNet50, InceptionV3, Xception.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from models.architectures.backbone import SIDE, backbone
from models.backend import keras

_BASES: Final = {
    "flask_vgg16": "VGG16",
    "flask_resnet50": "ResNet50",
    "flask_inceptionv3": "InceptionV3",
    "flask_xception": "Xception",
}


def flask_detector(name: str, outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model:
    """Builds one of them for gray pictures.

    Args:
        name: a key of `_BASES`.
        outputs: the number of logits.
        load_base: fills the base (`include_top=False`) with weights; without it all are random.

    Returns:
        A model from float32 (batch, 224, 224, 1), gray in [0, 1], to float32 logits (batch, outputs).
    """
    gray = keras.Input((SIDE, SIDE, 1), name="gray")
    x = backbone(_BASES[name], gray, load_base)
    x = keras.layers.Dropout(0.5, name="dropout")(keras.layers.Flatten(name="flatten")(x))
    return keras.Model(gray, keras.layers.Dense(outputs, name="logits")(x), name=name)


FLASK_DETECTOR: Final = {name: partial(flask_detector, name) for name in _BASES}
