"""The fast runtime on CPUs: OpenVINO, which is asked to report nothing to anyone.

Merely importing `openvino` sends an event to its makers, by the package `openvino_telemetry`, unless that cannot be imported: then
OpenVINO takes a stub of its own. So it is made impossible to import, before anything else, in every process that comes here.
"""

import sys
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: an import of it fails

import openvino  # noqa: E402

__all__ = ["OpenVinoRuntime", "openvino", "list_precisions"]

Array = npt.NDArray[np.float32]

_HOW: Final = {
    "PERFORMANCE_HINT": "THROUGHPUT",  # several pictures beside each other, instead of all cores on one
    "ENABLE_CPU_PINNING": False,  # two workers on one machine would be pinned to the same cores
}


def list_precisions() -> tuple[str, ...]:
    """What this machine's CPU computes in, the fastest first."""
    capabilities = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("bf16", "f32") if "BF16" in capabilities else ("f32",)


@cache
def _core() -> "openvino.Core":
    """One for the whole life of the process. Each sets an alternate signal stack for the thread that makes it, and unmaps it when it goes
    with its last network; a signal that comes to that thread then ends the process."""
    return openvino.Core()


class OpenVinoRuntime:
    """A compiled network that takes pictures one by one, as many at a time as suit the CPU.

    Larger pieces are no faster on CPUs, as a batch's maps no longer fit its caches (docs/decisions/0013). And a picture's answer does
    not depend on what else is in its batch.
    """

    def __init__(self, description: bytes, weights: bytes, precision: str) -> None:
        """Compiles a network.

        Args:
            description, weights: a network in OpenVINO's format, from float32 (1, height, width, channels) to float32 (1, outputs).
            precision: one of `precisions()`.

        Raises:
            RuntimeError: OpenVINO cannot compile it.
        """
        core = _core()
        network = core.compile_model(core.read_model(description, weights), "CPU", {**_HOW, "INFERENCE_PRECISION_HINT": precision})
        self.name = f"openvino {precision}"
        self.shapes = tuple(network.input(0).shape), tuple(network.output(0).shape)
        self._queue = openvino.AsyncInferQueue(network)

    def run(self, batch: Array) -> Array:
        """float32 (n, height, width, channels), n >= 0 -> float32 logits (n, outputs)."""
        batch = np.ascontiguousarray(batch, np.float32)
        answers = np.full((len(batch), self.shapes[1][-1]), np.nan, np.float32)

        def keep(request: "openvino.InferRequest", row: int) -> None:
            answers[row] = request.get_output_tensor(0).data[0]

        self._queue.set_callback(keep)  # not a method: OpenVINO would hold this runtime for ever
        for row in range(len(batch)):
            self._queue.start_async({0: batch[row : row + 1]}, row)
        self._queue.wait_all()
        return answers

    def warm(self, batch_max: int) -> None:
        """Runs as many pictures as are computed beside each other."""
        self.run(np.zeros((min(batch_max, len(self._queue)), *self.shapes[0][1:]), np.float32))
