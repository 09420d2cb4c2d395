"""Whether a runtime answers as the reference does: on drawn chests, whose reference answers are kept with the converted network."""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from imaging.phantoms import Kind, picture
from models.preprocess import prepare
from models.runtimes import Runtime

# Promised is that probabilities differ by 1e-3 at most. On 200 real pictures a network's rounding in bf16 told up to three times as much as
# on the drawn ones (docs/decisions/0013), so that these must agree better.
LIMIT: Final = 2.5e-4

_KINDS: Final[tuple[Kind, ...]] = ("xray", "ct")
_SEEDS: Final = 8


@cache
def draw_pictures(preprocess: str) -> npt.NDArray[np.float32]:
    """The drawn chests, X-ray and CT, each also as its negative: the same on every machine.

    Returns:
        float32 (32, height, width, channels), prepared by `preprocess`.
    """
    drawn = [picture(kind, seed) for kind in _KINDS for seed in range(_SEEDS)]
    return np.stack([prepare(preprocess, (pixels / 255).astype(np.float32)) for gray in drawn for pixels in (gray, 255 - gray)])


def measure_difference(runtime: Runtime, preprocess: str, reference: npt.NDArray[np.float32], temperature: float) -> float:
    """How far a runtime moves a probability from the reference's, at most.

    Told by the logits: a network that is sure of every drawn chest would hide its rounding behind probabilities of 0 and 1, and show it on
    an unsure picture. No probability moves by more than a quarter of what two logits move against each other.

    Args:
        runtime: of the same network as the reference.
        preprocess: what the network's pictures are prepared by.
        reference: float32 (32, outputs), the reference's logits for `pictures(preprocess)`.
        temperature: the logits are divided by it.

    Returns:
        0 or more; NaN where either answer is no number, so that it lies below no limit.
    """
    moved = (runtime.run(draw_pictures(preprocess)).astype(np.float64) - reference) / temperature
    return float(np.ptp(moved, axis=1).max() / 4)
