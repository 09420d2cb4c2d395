"""From logits to calibrated probabilities."""

import numpy as np
import numpy.typing as npt


def probabilities(logits: npt.NDArray[np.floating], temperature: float) -> npt.NDArray[np.float64]:
    """Softmax of `logits / temperature` over the last axis, in double precision.

    Reference: Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), https://arxiv.org/abs/1706.04599.
    """
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
