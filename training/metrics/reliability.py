"""Whether probabilities mean what they say: calibration error beside its null, and accuracy against coverage."""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.records import Bin, Figure
from training.metrics.figures import Votes, Wanted

BINS: Final = 15
COVERAGES: Final = (50, 60, 70, 80, 90, 100)  # percent

_SIMULATIONS: Final = 1000


def ece(votes: Votes, wanted: Wanted) -> float:
    """Expected calibration error of the answer's probability, in 15 bins of equal mass: mean distance of confidence from accuracy.

    Reference: Guo et al. (ICML 2017), https://arxiv.org/abs/1706.04599; bins of equal mass as in Nixon et al. (CVPRW 2019),
    https://arxiv.org/abs/1904.01685.
    """
    return _ece(votes.max(axis=1), votes.argmax(axis=1) == wanted)


def ece_null(votes: Votes) -> Figure:
    """Mean and central 95 % of the `ece` that perfectly calibrated votes with the same probabilities show."""
    confidence = votes.max(axis=1)
    rng = np.random.default_rng(0)
    values = [_ece(confidence, rng.random(len(confidence)) < confidence) for _ in range(_SIMULATIONS)]
    low, high = np.percentile(values, (2.5, 97.5))
    return Figure(value=round(float(np.mean(values)), 4), low=round(float(low), 4), high=round(float(high), 4))


def reliability(votes: Votes, wanted: Wanted) -> tuple[Bin, ...]:
    """The bins of `ece`."""
    confidence, right = votes.max(axis=1), votes.argmax(axis=1) == wanted
    return tuple(
        Bin(scans=len(part), confidence=round(float(confidence[part].mean()), 4), accuracy=round(float(right[part].mean()), 4))
        for part in _bins(confidence)
    )


def covered_accuracy(votes: Votes, wanted: Wanted, coverage: float) -> float:
    """Accuracy among the share `coverage` of scans with the widest margin between the two most probable findings."""
    chosen = surest(votes)[: max(1, round(coverage * len(votes)))]
    return float((votes[chosen].argmax(axis=1) == wanted[chosen]).mean())


def surest(votes: Votes) -> npt.NDArray[np.intp]:
    """All rows, those with the widest margin between the two most probable findings first."""
    ordered = np.sort(votes, axis=1)
    return np.argsort(ordered[:, -2] - ordered[:, -1], kind="stable")


def _ece(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> float:
    return float(sum(abs(confidence[part].sum() - right[part].sum()) for part in _bins(confidence)) / len(confidence))


def _bins(confidence: npt.NDArray[np.float64]) -> list[npt.NDArray[np.intp]]:
    return [part for part in np.array_split(np.argsort(confidence, kind="stable"), BINS) if len(part)]
