"""What runs a network: one interface, one runtime a file."""

from typing import Protocol

import numpy as np
import numpy.typing as npt


class Runtime(Protocol):
    """A network that is ready to run. Not thread-safe: one batcher owns it."""

    @property
    def name(self) -> str:
        """What runs it, and in which precision: for logs and people."""
        ...

    def run(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """float32 (n, height, width, channels) -> float32 logits (n, outputs)."""
        ...

    def warm(self, batch_max: int) -> None:
        """Prepares for batches up to `batch_max`, so that the first real one is no slower than the next."""
        ...
