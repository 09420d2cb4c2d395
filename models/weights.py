"""Weight files: Keras' `.weights.h5`, in half precision, whose bytes depend on the weights alone."""

import tempfile
from pathlib import Path

import h5py
import numpy as np

from models.backend import keras


def save_half(network: keras.Model, path: Path) -> None:
    """Saves weights as float16: half the size, and a difference in probabilities far below what a finding turns on.

    Args:
        network: never compiled (Keras would save the optimiser's state, too).
        path: ends in `.weights.h5`.

    Raises:
        ValueError: a weight is too large for float16, or no number.
    """
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "full.weights.h5"
        network.save_weights(full)
        with h5py.File(full) as source, h5py.File(path, "w") as target:

            def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
                if isinstance(item, h5py.Dataset):
                    half = np.asarray(item, np.float16)
                    if not np.isfinite(half).all():
                        raise ValueError("a weight is too large for float16, or no number")
                    copied = target.create_dataset(name, data=half)
                else:
                    copied = target.require_group(name)
                copied.attrs.update(item.attrs)

            source.visititems(copy)
            target.attrs.update(source.attrs)


def load(network: keras.Model, path: Path) -> None:
    """Fills `network` (float32) with weights that were saved in either precision.

    Raises:
        ValueError, OSError, KeyError: the file is not one, or does not fit.
    """
    network.load_weights(path)
