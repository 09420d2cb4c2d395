"""Network architectures, one a file, each a plain Keras 3 function that runs on any backend."""

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from lungline.errors import ModelError
from models.architectures.compact_cnn import compact_cnn
from models.architectures.flask_detector import FLASK_DETECTOR
from models.architectures.mobilenetv2 import mobilenetv2
from models.architectures.small_cnn import small_cnn
from models.backend import keras


class _Architecture(Protocol):
    def __call__(self, outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model: ...


ARCHITECTURES: Final[dict[str, _Architecture]] = {
    **FLASK_DETECTOR,
    "compact_cnn": compact_cnn,
    "mobilenetv2": partial(mobilenetv2, side=224),
    "mobilenetv2_128": partial(mobilenetv2, side=128),
    "small_cnn": small_cnn,
}


def build(name: str, outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model:
    """Builds the architecture `name` with `outputs` logits.

    Raises:
        ModelError: this version of Lungline has no such architecture.
    """
    if name not in ARCHITECTURES:
        raise ModelError(f"No architecture is named `{name}`; this version of Lungline has {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[name](outputs, load_base)
