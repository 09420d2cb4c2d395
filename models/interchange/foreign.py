"""Weights that somebody else's Keras wrote, layer by layer, as plain numbers.

Known are `.keras`, `.h5` of a whole model, and `.h5` of weights alone, by Keras 2 and 3. Keras itself would build the network that the file
describes; such a description has run code of its author's before now. Here it is only looked at, to compare it with our own network.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lungline.errors import ModelError

_DAMAGED: Final = "The file is damaged: save or fetch it again."


@dataclass(frozen=True)
class Layer:
    """A layer with weights."""

    name: str | None  # None: the file does not tell
    kind: str  # its class in snake case: dense, conv2d, batch_normalization …
    settings: Mapping[str, Any]  # activation, strides …, where the file tells
    weights: tuple[npt.NDArray[np.float32], ...]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of its weights, in order."""
        return [weight.shape for weight in self.weights]

    @property
    def label(self) -> str:
        """For people."""
        return shown(self.name or self.kind)


@dataclass(frozen=True)
class Foreign:
    """What a file holds."""

    layers: tuple[Layer, ...]  # of each kind in the network's order
    sides: tuple[int, int] | None  # rows and columns of the pictures that it takes, where the file tells
    code: tuple[str, ...]  # layers that hold their author's code (Lambda), by name; it was not run


def shown(name: str) -> str:
    """A name out of a file, as a terminal can bear it."""
    return re.sub(r"[^\w ./:-]", "?", name)[:60]


def read(path: Path, most_bytes: int, seconds: float = 300.0) -> Foreign:
    """Reads a file of Keras', in a process of its own with limits of time and memory.

    Args:
        path: ends as it likes; its first bytes tell what it is.
        most_bytes: a file that is larger, unpacks to more or promises more, is refused.
        seconds: that reading it may take.

    Raises:
        ModelError: it cannot be read, is damaged, too large, or not of Keras; or a weight is not a number.
    """
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "arrays.npy"
        command = [sys.executable, "-P", "-m", "models.interchange.foreign_file", str(path.resolve()), str(most_bytes), str(arrays)]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # each thread would reserve memory
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, timeout=seconds, check=False)
            answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"error": _DAMAGED}
        except (OSError, ValueError, IndexError, subprocess.TimeoutExpired):
            answer = {"error": _DAMAGED}
        if "error" in answer:
            raise ModelError(answer["error"])
        with arrays.open("rb") as file:
            layers = tuple(
                Layer(name, kind, settings, tuple(np.load(file, allow_pickle=False) for _ in range(count)))
                for name, kind, settings, count in answer["layers"]
            )
    for layer in layers:
        if not all(np.isfinite(weight).all() for weight in layer.weights):
            raise ModelError(f"Layer `{layer.label}` has a weight that is not a number: its training failed. Train it again.")
    return Foreign(layers, tuple(answer["sides"]) if answer["sides"] else None, tuple(map(shown, answer["code"])))
