"""ImageNet weights to start from: a local folder, else Keras' own download."""

import hashlib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lungline.errors import TrainingError
from models.backend import keras

# What Keras calls the networks that have public weights.
_PUBLIC: Final = {"mobilenetv2": "MobileNetV2"}

_STALLED_SECONDS: Final = 60.0


def loader(architecture: str, weights: str, folder: Path | None) -> tuple[Callable[[keras.Model], None] | None, str]:
    """How to fill the base of `architecture`, and what to write down about it.

    Args:
        architecture: one of `models.architectures.ARCHITECTURES`.
        weights: `imagenet`, or `none` for a random start.
        folder: LUNGLINE_WEIGHTS_DIR: `<architecture>_notop.weights.h5` in it is taken before any download.

    Returns:
        A function that fills the base, or None; and a short description.

    Raises:
        TrainingError: `weights` is neither, or a file in `folder` cannot be read.
    """
    if weights not in ("imagenet", "none"):
        raise TrainingError("`--weights` takes `imagenet` or `none`.")
    if weights == "none" or architecture not in _PUBLIC:
        return None, "none"
    path = folder / f"{architecture}_notop.weights.h5" if folder else None
    if path is None or not path.is_file():
        return lambda base: _download(base, _PUBLIC[architecture]), "imagenet (Keras' download)"
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


@contextmanager
def _patience() -> Iterator[None]:
    """Keras' download waits for ever unless sockets are told not to."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALLED_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
