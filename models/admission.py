"""Admission: is a picture a chest X-ray, a lung CT slice, or neither? Asked of every scan before an ensemble sees it."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lungline.errors import ModelError
from lungline.findings import Modality
from models.calibration import probabilities
from models.runtimes import Runtime

NEITHER = "neither"


class Admission:
    """A small network and one threshold, chosen on validation so that nearly all real scans are kept."""

    def __init__(self, version: str, preprocess: str, outputs: tuple[str, ...], threshold: float, runtime: Runtime) -> None:
        """`threshold`: a picture is turned away when `neither` is more probable than this.

        Raises:
            ModelError: `outputs` are not xray, ct and neither.
        """
        if sorted(outputs) != sorted([*Modality, NEITHER]):
            raise ModelError(f"`{version}` cannot be the admission network: its outputs are not xray, ct and neither.")
        self.version = version
        self.preprocess = preprocess
        self._outputs = outputs
        self._threshold = threshold
        self._runtime = runtime

    def judge(self, inputs: npt.NDArray[np.float32]) -> list[dict[str, float]]:
        """Judges a batch.

        Args:
            inputs: float32 (n, height, width, channels), preprocessed by `preprocess`.

        Returns:
            n times the probabilities of xray, ct and neither.

        Raises:
            ModelError: the network gave a number that is none (NaN or infinite).
        """
        logits = self._runtime.run(inputs)
        if not np.isfinite(logits).all():
            raise ModelError(f"`{self.version}` gave an answer that is not a number; run `lungline doctor`.")
        return [dict(zip(self._outputs, row, strict=True)) for row in probabilities(logits, 1.0).tolist()]

    def decide(self, answer: Mapping[str, float], said: Modality | None) -> Modality | None:
        """What to read the picture as.

        Args:
            answer: one element of what `judge` returns.
            said: what header or folder say; it is believed unless the picture is surely neither.

        Returns:
            The modality, or None: turn the picture away as `not_chest`.
        """
        if answer[NEITHER] > self._threshold:
            return None
        return said or max(Modality, key=lambda modality: answer[modality.value])

    def warm(self, batch_max: int) -> None:
        """Prepares the network for batches up to `batch_max`."""
        self._runtime.warm(batch_max)
