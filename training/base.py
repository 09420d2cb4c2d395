"""ImageNet weights to start from: a local folder, else Keras' own download."""

import hashlib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from lungline.errors import TrainingError
from models.architectures.mobilenetv2 import IMAGENET_MEAN, IMAGENET_VARIANCE
from models.backend import keras

# Architectures that have public weights: how the weights' file begins, and what Keras calls their network.
_PUBLIC: Final = {"mobilenetv2": ("mobilenetv2", "MobileNetV2"), "mobilenetv2_128": ("mobilenetv2", "MobileNetV2")}

_STALLED_SECONDS: Final = 60.0


def loader(architecture: str, weights: str, folder: Path | None) -> tuple[Callable[[keras.Model], None] | None, str]:
    """How to fill the base of `architecture`, and what to write down about it.

    Args:
        architecture: one of `models.architectures.ARCHITECTURES`.
        weights: `imagenet`, or `none` for a random start.
        folder: LUNGLINE_WEIGHTS_DIR: `mobilenetv2_notop.weights.h5` in it is taken before any download.

    Returns:
        A function that fills the base, or None; and a short description.

    Raises:
        TrainingError: `weights` is neither, or a file in `folder` cannot be read.
    """
    if weights not in ("imagenet", "none"):
        raise TrainingError("`--weights` takes `imagenet` or `none`.")
    if weights == "none" or architecture not in _PUBLIC:
        return None, "none"
    file, application = _PUBLIC[architecture]
    path = folder / f"{file}_notop.weights.h5" if folder else None
    if path is None or not path.is_file():
        return lambda base: _download(base, application), "imagenet (Keras' download)"
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        raise TrainingError("A file in LUNGLINE_WEIGHTS_DIR cannot be read; check its permissions.") from None
    return lambda base: _load(base, path), f"imagenet ({path.name}, sha256 {digest})"


def _load(base: keras.Model, path: Path) -> None:
    try:
        base.load_weights(path)
    except Exception as error:  # Keras and HDF5 raise all kinds for a file that does not fit
        raise TrainingError(f"{path.name} in LUNGLINE_WEIGHTS_DIR does not fit its network ({type(error).__name__}).") from None


def _download(base: keras.Model, application: str) -> None:
    try:
        with _patience():
            public = getattr(keras.applications, application)(include_top=False, weights="imagenet", input_shape=base.input_shape[1:])
    except Exception as error:  # Keras raises a bare Exception where a download fails
        raise TrainingError(
            f"ImageNet weights for {application} cannot be downloaded ({type(error).__name__}); "
            "put them into LUNGLINE_WEIGHTS_DIR, or start from nothing with `--weights none`."
        ) from None
    base.set_weights(public.get_weights())
    _expect_statistics(base)


def _expect_statistics(base: keras.Model) -> None:
    """Makes a base that expects pictures in [-1, 1] expect them by ImageNet's statistics, as a local file's does.

    Folded into the first convolution and the running mean of the normalisation behind it; exact but at the border.
    """
    mean, deviation = np.array(IMAGENET_MEAN), np.sqrt(np.array(IMAGENET_VARIANCE))
    first = next(layer for layer in base.layers if isinstance(layer, keras.layers.Conv2D))
    norm = next(layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization))
    (kernel,) = first.get_weights()
    shift = np.einsum("hwio,i->o", kernel, 2 * mean - 1)
    first.set_weights([kernel * (2 * deviation)[None, None, :, None]])
    norm.moving_mean.assign(norm.moving_mean - shift)


@contextmanager
def _patience() -> Iterator[None]:
    """Keras' download waits for ever unless sockets are told not to."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALLED_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
