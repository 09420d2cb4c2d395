"""Weight files: Keras' `.weights.h5`, in half precision, whose bytes depend on the weights alone."""

import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from models.backend import keras


def save_half(network: keras.Model, path: Path) -> None:
    """Saves weights as float16: half the size, and a difference in probabilities far below what a finding turns on.

    A tensor with a number that is too large for float16 stays float32: the variances that ResNet50's first normalisation knows are.

    Args:
        network: never compiled (Keras would save the optimiser's state, too).
        path: ends in `.weights.h5`.

    Raises:
        ValueError: a weight is not a number.
    """
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "full.weights.h5"
        network.save_weights(full)
        with h5py.File(full) as source, h5py.File(path, "w") as target:

            def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
                if isinstance(item, h5py.Dataset):
                    copied = target.create_dataset(name, data=_half(np.asarray(item)))
                else:
                    copied = target.require_group(name)
                # Names that Keras makes up count the layers that this process has built before; loading goes by the path.
                copied.attrs.update({key: value for key, value in item.attrs.items() if key != "name"})

            source.visititems(copy)
            target.attrs.update(source.attrs)


def _half(tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if not np.isfinite(tensor).all():
        raise ValueError("a weight is not a number")
    return tensor.astype(np.float16) if np.abs(tensor).max(initial=0) <= np.finfo(np.float16).max else tensor


def load(network: keras.Model, path: Path) -> None:
    """Fills `network` (float32) with weights that were saved in either precision.

    Raises:
        ValueError, OSError, KeyError: the file is not one, or does not fit.
    """
    network.load_weights(path)
