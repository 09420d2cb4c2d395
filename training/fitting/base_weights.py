"""ImageNet weights to start from: a local folder, else Keras' own download; known by a fingerprint over their tensors."""

import hashlib
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lungline.errors import TrainingError
from lungline.progress import say
from models.architectures.mobilenetv2 import IMAGENET_MEAN, IMAGENET_VARIANCE
from models.backend import keras

# Architectures that have public weights: how the weights' file begins, and what Keras calls their network.
_PUBLIC: Final = {
    "mobilenetv2": ("mobilenetv2", "MobileNetV2"),
    "mobilenetv2_128": ("mobilenetv2", "MobileNetV2"),
    "mobilenetv2_cut": ("mobilenetv2", "MobileNetV2"),
    "flask_vgg16": ("vgg16", "VGG16"),
    "flask_resnet50": ("resnet50", "ResNet50"),
    "flask_inceptionv3": ("inceptionv3", "InceptionV3"),
    "flask_xception": ("xception", "Xception"),
    "resnet50_cap": ("resnet50", "ResNet50"),
    "resnet50_mid": ("resnet50", "ResNet50"),
    "vgg16_pyimage": ("vgg16", "VGG16"),
    "vgg19_clahe": ("vgg19", "VGG19"),
}

# What a base was trained to be given. The published systems divide by 255 whatever that is, and so do their recipes.
_EXPECTS: Final = {
    "MobileNetV2": "RGB by ImageNet's statistics, as it is given here",
    "VGG16": "BGR less its mean, or RGB in [0, 1] where a local file has ImageNet's statistics folded in; given RGB in [0, 1]",
    "VGG19": "BGR less its mean; given RGB in [0, 1]",
    "ResNet50": "BGR less its mean; given RGB in [0, 1]",
    "InceptionV3": "RGB in [-1, 1]; given RGB in [0, 1]",
    "Xception": "RGB in [-1, 1]; given RGB in [0, 1]",
    "resnet50_mid": "BGR less its mean, as it is given here",  # what an architecture gives counts before its base's
}

# Fingerprints of files that Lungline's own trainings started from.
_KNOWN: Final = frozenset(
    {
        "ae776bcdc7578543c464d54f3f5a8062ad51cca069516a7081b86193a9b3ca55",  # mobilenetv2
        "5403dc8051e13e5441b7fb6d3a77667a619b26913170d05b4539f5a0f27ff582",  # vgg16, with ImageNet's mean and deviation folded in
        "d47c4faeb78714b620d8f9cd7577acfd93380f26b6eaf2e2db1937065985aa32",  # resnet50
        "0950f8d89b582cfbf233b0ad5936d56c56627dd3a5d196112bb1acdfb838c24b",  # xception
    }
)

_STALLED_SECONDS: Final = 60.0

Tensors = Sequence[npt.NDArray[Any]]


def loader(architecture: str, weights: str, folder: Path | None) -> tuple[Callable[[keras.Model], None] | None, str]:
    """How to fill the base of `architecture`, and what to write down about it.

    Args:
        architecture: one of `models.architectures.ARCHITECTURES`.
        weights: `imagenet`, or `none` for a random start.
        folder: LUNGLINE_WEIGHTS_DIR: for example `vgg16_notop.weights.h5` in it is taken before any download.

    Returns:
        A function that fills the base, or None; and a description that holds the base's fingerprint and what it expects.

    Raises:
        TrainingError: `weights` is neither, a file in `folder` cannot be read or is of another network, or nothing can be downloaded.
    """
    if weights not in ("imagenet", "none"):
        raise TrainingError("`--weights` takes `imagenet` or `none`.")
    if weights == "none" or architecture not in _PUBLIC:
        return None, "none"
    stem, application = _PUBLIC[architecture]
    path = folder / f"{stem}_notop.weights.h5" if folder else None
    if path and path.is_file():
        base, origin = _local(path, application), path.name
    else:
        base, origin = _downloaded(application, f"{stem}_notop.weights.h5"), "Keras' download"
    tensors = base.get_weights()
    digest = fingerprint(tensors)
    if path and path.is_file() and digest not in _KNOWN:
        say(f"{path.name} in LUNGLINE_WEIGHTS_DIR is not a file that Lungline knows; the member records its fingerprint, {digest[:16]}.")
    expects = _EXPECTS.get(architecture, _EXPECTS[application])
    return lambda base: base.set_weights(tensors), f"imagenet ({origin}, tensors {digest}; expects {expects})"


def fingerprint(tensors: Tensors) -> str:
    """SHA-256 over shapes and numbers of a base's tensors, in the order of `keras.Model.get_weights`."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(repr(tensor.shape).encode())
        digest.update(np.ascontiguousarray(tensor, np.float32).data)
    return digest.hexdigest()


def _empty(application: str) -> keras.Model:
    return getattr(keras.applications, application)(include_top=False, weights=None, input_shape=(224, 224, 3))


def _local(path: Path, application: str) -> keras.Model:
    base = _empty(application)
    try:
        base.load_weights(path)
    except PermissionError:
        raise TrainingError(f"{path.name} in LUNGLINE_WEIGHTS_DIR cannot be read; check its permissions.") from None
    except Exception as error:  # Keras and HDF5 raise all kinds for a file that does not fit
        raise TrainingError(
            f"{path.name} in LUNGLINE_WEIGHTS_DIR is damaged, or is for another network than keras.applications.{application} "
            f"without its top "
            f"({type(error).__name__}); replace it, or remove it."
        ) from None
    if not all(np.isfinite(tensor).all() for tensor in base.get_weights()):
        raise TrainingError(f"{path.name} in LUNGLINE_WEIGHTS_DIR is damaged: a weight is not a number; replace it, or remove it.")
    return base


def _downloaded(application: str, file: str) -> keras.Model:
    try:
        with _patience():
            public = getattr(keras.applications, application)(include_top=False, weights="imagenet", input_shape=(224, 224, 3))
    except Exception as error:  # Keras raises a bare Exception where a download fails
        raise TrainingError(
            f"ImageNet weights for {application} cannot be downloaded ({type(error).__name__}). Put `{file}` into LUNGLINE_WEIGHTS_DIR: "
            f"where there is internet, `keras.applications.{application}(include_top=False).save_weights('{file}')` writes it. "
            "Or start from random weights with `--weights none`."
        ) from None
    if application == "MobileNetV2":
        _expect_statistics(public)
    return public


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
