"""The reference runtime: runs a Keras network by its compiled function, on TensorFlow or JAX."""

import numpy as np
import numpy.typing as npt

from lungline.errors import ModelError
from models.architectures import build
from models.backend import jit, keras
from models.files import REPAIR, Member
from models.weights import load

Array = npt.NDArray[np.float32]


class KerasRuntime:
    """A network that takes batches of any size, and is compiled for a few sizes only.

    A batch is cut into pieces of a power of two, since each new size costs a trace (TensorFlow) or a compilation (JAX).
    `predict` is not used: called in a loop it leaks (tensorflow #33030) and builds a data pipeline for each call.
    """

    name = "keras"

    def __init__(self, network: keras.Model, *, piece_max: int = 32) -> None:
        network.jit_compile = jit()
        self._network = network
        self._piece_max = piece_max

    def run(self, batch: Array) -> Array:
        """float32 (n, height, width, channels), n >= 0 -> float32 logits (n, outputs)."""
        pieces = [np.asarray(self._network.predict_on_batch(piece)) for piece in self._cut(batch)]
        return np.concatenate(pieces) if pieces else np.zeros((0, self._network.output_shape[-1]), np.float32)

    def warm(self, batch_max: int) -> None:
        """Compiles what `run` needs for batches up to `batch_max`."""
        size = 1
        while size <= min(batch_max, self._piece_max):
            self._network.predict_on_batch(np.zeros((size, *self._network.input_shape[1:]), np.float32))
            size *= 2

    def _cut(self, batch: Array) -> list[Array]:
        pieces, start = [], 0
        while start < len(batch):
            size = min(self._piece_max, 1 << ((len(batch) - start).bit_length() - 1))
            pieces.append(batch[start : start + size])
            start += size
        return pieces


def load_network(member: Member) -> keras.Model:
    """Builds a member's network and fills it with its weights.

    Raises:
        ModelError: the weights are missing, damaged, or of another network.
    """
    weights = member.checked_weights()
    network = build(member.architecture, len(member.outputs))
    try:
        load(network, weights)
    except Exception as error:  # Keras and HDF5 raise all kinds for a file that does not fit
        raise ModelError(f"The weights of member `{member.version}` do not fit its network ({type(error).__name__}). {REPAIR}") from None
    return network
