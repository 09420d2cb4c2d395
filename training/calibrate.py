"""What is chosen on validation after training: temperature, and the thresholds for review and admission."""

import numpy as np
import numpy.typing as npt

from models.calibration import probabilities

Array = npt.NDArray[np.floating]

# The share of validation scans that a person is asked to look at, the closest calls first.
_REVIEW_SHARE = 0.3

# The share of real validation scans that admission may turn away at most.
_LOST_SHARE = 0.005

_TEMPERATURES = np.geomspace(0.2, 5.0, 321)


def temperature(logits: Array, outputs: npt.NDArray[np.intp]) -> float:
    """The temperature with the least negative log-likelihood, to 1 %; the likelihood has one maximum, so a grid is enough.

    Args:
        logits: (n, outputs).
        outputs: (n,), index of the right output.
    """
    right = np.arange(len(outputs)), outputs
    losses = [-np.log(np.maximum(probabilities(logits, t)[right], 1e-12)).mean() for t in _TEMPERATURES]
    return round(float(_TEMPERATURES[int(np.argmin(losses))]), 4)


def review_margin(votes: Array) -> float:
    """The distance between the two most probable findings below which a scan goes to review. `votes`: calibrated, (n, findings)."""
    ordered = np.sort(votes, axis=1)
    return round(float(np.quantile(ordered[:, -1] - ordered[:, -2], _REVIEW_SHARE)), 4)


def admission_threshold(neither: Array) -> float:
    """The probability of `neither` above which a picture is turned away. `neither`: (n,), of real scans."""
    return round(float(np.quantile(neither, 1 - _LOST_SHARE, method="higher")), 4)


def review_disagreement(votes: Array) -> float:
    """The disagreement above which a scan goes to review: that of the 5 % of validation scans that members differ most about.

    Args:
        votes: calibrated, (members, n, findings).
    """
    distance = np.abs(votes - votes.mean(axis=0)).sum(axis=2).mean(axis=0) / 2
    return round(float(np.quantile(distance, 0.95)), 4)
