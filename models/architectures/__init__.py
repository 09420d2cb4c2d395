"""Network architectures, one a file, each a plain Keras 3 function that runs on any backend."""

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import numpy as np

from lungline.errors import ModelError
from models.architectures.cnn6 import cnn6
from models.architectures.compact_cnn import compact_cnn
from models.architectures.flask_detector import FLASK_DETECTOR
from models.architectures.mobilenetv2 import mobilenetv2
from models.architectures.mobilenetv2_cut import mobilenetv2_cut
from models.architectures.resnet50_cap import resnet50_cap
from models.architectures.resnet50_mid import resnet50_mid
from models.architectures.small_cnn import small_cnn
from models.architectures.vgg16_pyimage import vgg16_pyimage
from models.architectures.vgg19_clahe import vgg19_clahe
from models.backend import keras


class _Architecture(Protocol):
    def __call__(self, outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model: ...


ARCHITECTURES: Final[dict[str, _Architecture]] = {
    **FLASK_DETECTOR,
    "cnn6": cnn6,
    "compact_cnn": compact_cnn,
    "mobilenetv2": partial(mobilenetv2, side=224),
    "mobilenetv2_128": partial(mobilenetv2, side=128),
    "mobilenetv2_cut": mobilenetv2_cut,
    "resnet50_cap": resnet50_cap,
    "resnet50_mid": resnet50_mid,
    "small_cnn": small_cnn,
    "vgg16_pyimage": vgg16_pyimage,
    "vgg19_clahe": vgg19_clahe,
}


def build(name: str, outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model:
    """Builds the architecture `name` with `outputs` logits.

    Raises:
        ModelError: this version of Lungline has no such architecture.
    """
    if name not in ARCHITECTURES:
        raise ModelError(f"No architecture is named `{name}`; this version of Lungline has {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[name](outputs, load_base)


def count_parameters(network: keras.Model) -> dict[str, int]:
    """How many numbers a network has, and how many of them training changes, as `model.summary()` counts them."""
    trainable = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    parameters = int(network.count_params())
    return {"parameters": parameters, "trainable": trainable, "non_trainable": parameters - trainable}
