"""Weights that somebody else's Keras wrote, layer by layer, as plain numbers.

Known are `.keras`, `.h5` of a whole model, and `.h5` of weights alone, by Keras 2 and 3. Keras itself would build the network that the file
describes; such a description has run code of its author's before now. Here it is only compared with our own network.
"""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from lungline.child_process import ask
from lungline.errors import ChildError, ModelError
from models.interchange.messages import ForeignContents, ForeignFile

_DAMAGED: Final = "The file is damaged: save or fetch it again."


@dataclass(frozen=True)
class Layer:
    """A layer with weights."""

    name: str | None  # None: the file does not say
    kind: str  # its class in snake case: dense, conv2d, batch_normalization …
    settings: Mapping[str, JsonValue]  # activation, strides …, where the file says
    weights: tuple[npt.NDArray[np.float32], ...]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of its weights, in order."""
        return [weight.shape for weight in self.weights]

    @property
    def label(self) -> str:
        """For people."""
        return make_printable(self.name or self.kind)


@dataclass(frozen=True)
class Foreign:
    """What a file holds."""

    layers: tuple[Layer, ...]  # of each kind in the network's order
    sides: tuple[int, int] | None  # rows and columns of the pictures that it takes, where the file says
    code: tuple[str, ...]  # layers that hold their author's code (Lambda), by name; it was not run


def make_printable(name: str) -> str:
    """A name out of a file, as a terminal can bear it."""
    return re.sub(r"[^\w ./:-]", "?", name)[:60]


def read(path: Path, most_bytes: int, seconds: float = 300.0) -> Foreign:
    """Reads a file of Keras', in a process of its own with limits of time and memory.

    Args:
        path: ends as it likes; its first bytes say what it is.
        most_bytes: a file that is larger, unpacks to more or promises more, is refused.
        seconds: that reading it may take.

    Raises:
        ModelError: it cannot be read, is damaged, too large, or not of Keras; or a weight is not a number.
    """
    with tempfile.TemporaryDirectory() as folder:
        arrays, link = Path(folder) / "arrays.npy", Path(folder) / "file"
        link.symlink_to(path.resolve())  # JSON cannot carry every path
        try:
            contents = ask(
                "models.interchange.foreign_file",
                ForeignFile(path=link, most_bytes=most_bytes, arrays=arrays),
                ForeignContents,
                seconds=seconds,
                environment={"OPENBLAS_NUM_THREADS": "1"},  # each thread would reserve memory
            )
        except ChildError as error:
            raise ModelError(error.sentence or _DAMAGED) from None
        with arrays.open("rb") as file:
            layers = tuple(
                Layer(layer.name, layer.kind, layer.settings, tuple(np.load(file, allow_pickle=False) for _ in range(layer.arrays)))
                for layer in contents.layers
            )
    for layer in layers:
        if not all(np.isfinite(weight).all() for weight in layer.weights):
            raise ModelError(f"Layer `{layer.label}` has a weight that is not a number: its training failed. Train it again.")
    return Foreign(layers, contents.sides, tuple(map(make_printable, contents.code)))
