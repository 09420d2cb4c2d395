"""Figures of a classifier with intervals: AUROC, balanced accuracy, and their bootstrap over groups."""

from collections.abc import Callable
from typing import TypedDict

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000

Votes = npt.NDArray[np.float64]  # (n, outputs)
Wanted = npt.NDArray[np.intp]  # (n,), index of the right output


class Figure(TypedDict):
    """A figure with its 95 % interval, NaN-free: bounds are None where too few resamples hold every output."""

    value: float
    low: float | None
    high: float | None


def auroc(scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties counted half. NaN where one side is empty."""
    below = np.sort(scores[~positive])
    above = scores[positive]
    if not len(below) or not len(above):
        return float("nan")
    return float((np.searchsorted(below, above, "left") + np.searchsorted(below, above, "right")).mean() / (2 * len(below)))


def macro_auroc(votes: Votes, wanted: Wanted) -> float:
    """Mean over outputs of the AUROC of one against the rest; of two outputs, simply the AUROC."""
    return float(np.mean([auroc(votes[:, k], wanted == k) for k in range(votes.shape[1])]))


def first_auroc(votes: Votes, wanted: Wanted) -> float:
    """The AUROC of the first output (covid19) against the rest."""
    return auroc(votes[:, 0], wanted == 0)


def balanced_accuracy(votes: Votes, wanted: Wanted) -> float:
    """Mean recall over the outputs that occur."""
    said = votes.argmax(axis=1)
    return float(np.mean([(said[wanted == k] == k).mean() for k in np.unique(wanted)]))


def accuracy(votes: Votes, wanted: Wanted) -> float:
    """The share of right answers."""
    return float((votes.argmax(axis=1) == wanted).mean())


def with_interval(figure: Callable[[Votes, Wanted], float], votes: Votes, wanted: Wanted, groups: npt.NDArray[np.str_]) -> Figure:
    """`figure` with the 2.5th and 97.5th percentile of its bootstrap over groups (2,000 resamples, fixed seed).

    Resampled are groups, not images: images of one patient are no independent witnesses.
    """
    names, member = np.unique(groups, return_inverse=True)
    images = [np.flatnonzero(member == group) for group in range(len(names))]
    rng = np.random.default_rng(0)
    values = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([images[group] for group in rng.integers(len(names), size=len(names))])
        if len(np.unique(wanted[drawn])) == len(np.unique(wanted)):
            values.append(figure(votes[drawn], wanted[drawn]))
    value = round(figure(votes, wanted), 4)
    if len(values) < RESAMPLES // 2:
        return Figure(value=value, low=None, high=None)
    low, high = np.percentile(values, (2.5, 97.5))
    return Figure(value=value, low=round(float(low), 4), high=round(float(high), 4))
