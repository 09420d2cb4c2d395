"""What is chosen on validation after training: temperature, weights of the vote, and the thresholds for review and admission."""

from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from models.calibration import probabilities
from training.metrics.figures import Votes, Wanted

Array = npt.NDArray[np.floating]

# The share of validation scans that a person is asked to look at: the closest calls, and those that members differ most about.
_CLOSE_SHARE: Final = 0.3
_DISPUTED_SHARE: Final = 0.05

# The shares of validation scans and of validation strangers that may lie on the wrong side of admission's threshold.
_LOST_SHARE: Final = 0.005
_PASSED_SHARE: Final = 0.02

_TEMPERATURES: Final = np.geomspace(0.1, 20.0, 531)

# What members may weigh against each other, and how many may vote: more cost time on every scan, and on some hundred scans of validation
# the best of many choices is mostly the luckiest.
_PARTS: Final = (1, 2, 4)
_MOST_MEMBERS: Final = 4


def fit_temperature(logits: Array, outputs: npt.NDArray[np.intp]) -> float:
    """The temperature with the least negative log-likelihood, to 1 %; the likelihood has one maximum, so a grid is enough.

    Args:
        logits: (n, outputs).
        outputs: (n,), index of the right output.
    """
    losses = [_losses(probabilities(logits, t), outputs).mean() for t in _TEMPERATURES]
    return round(float(_TEMPERATURES[int(np.argmin(losses))]), 4)


def choose_voters(votes: Array, wanted: Wanted, groups: npt.NDArray[np.str_]) -> list[int]:
    """Which of many members vote: one by one, each time the one that lowers the log-loss of the vote most.

    After Caruana et al., "Ensemble selection from libraries of models" (ICML 2004). The first is the best by itself. A second joins unless
    it does harm, by more than one standard error: by how far members differ, scans go to review. A further one joins only if it lowers
    the loss by more than one standard error, up to four.

    Args:
        votes: calibrated, (members, n, findings).
        wanted: (n,), the right finding.
        groups: (n,), what belongs together; the standard error is one over groups.

    Returns:
        Indices of those that vote, in the order of `votes`.
    """

    def losses(chosen: list[int]) -> npt.NDArray[np.float64]:
        some = votes[chosen]
        return _losses(np.einsum("m,mnf->nf", np.array(fit_vote_weights(some, wanted, groups)), some), wanted)

    chosen: list[int] = []
    reached = np.full(len(wanted), np.inf)
    while len(chosen) < min(_MOST_MEMBERS, len(votes)):
        tried = {number: losses(sorted([*chosen, number])) for number in range(len(votes)) if number not in chosen}
        best = min(tried, key=lambda number: float(tried[number].mean()))
        if chosen:
            gains = reached - tried[best]
            needed = _standard_error(gains, groups) * (-1 if len(chosen) == 1 else 1)
            if gains.mean() <= needed:
                break
        chosen, reached = sorted([*chosen, best]), tried[best]
    return chosen


def fit_vote_weights(votes: Array, wanted: Wanted, groups: npt.NDArray[np.str_]) -> list[float]:
    """The weights of a vote: equal ones, unless others are better by more than one standard error of the difference.

    Validation has some hundred scans, on which the best of many weights is mostly the luckiest; so few are tried (each member one, two or
    four parts), and the rule of one standard error (Breiman et al., "Classification and Regression Trees", 1984) decides for the simplest.

    Args:
        votes: calibrated, (members, n, findings).
        wanted: (n,), the right finding.
        groups: (n,), what belongs together; the standard error is one over groups.

    Returns:
        A weight a member; they sum to 1.
    """
    equal = np.full(len(votes), 1 / len(votes))
    before = _losses(np.einsum("m,mnf->nf", equal, votes), wanted)
    best, largest = equal, 0.0
    for parts in product(_PARTS, repeat=len(votes)):
        weights = np.array(parts) / sum(parts)
        gains = before - _losses(np.einsum("m,mnf->nf", weights, votes), wanted)
        gain = float(gains.mean())
        if gain > largest and gain > _standard_error(gains, groups):
            best, largest = weights, gain
    return [round(float(weight), 4) for weight in best]


def choose_review_thresholds(votes: Array, weights: list[float]) -> dict[str, float]:
    """Below which margin, and above which disagreement, a scan goes to review.

    Args:
        votes: calibrated, (members, n, findings).
        weights: of the members, summing to 1.

    Returns:
        `margin`, under which 30 % of validation scans lie, and `disagreement`, over which 5 % of them lie.
    """
    vote = np.einsum("m,mnf->nf", np.array(weights), votes)
    ordered = np.sort(vote, axis=1)
    distance = np.abs(votes - vote).sum(axis=2).mean(axis=0) / 2
    return {
        "margin": round(float(np.quantile(ordered[:, -1] - ordered[:, -2], _CLOSE_SHARE)), 4),
        "disagreement": round(float(np.quantile(distance, 1 - _DISPUTED_SHARE)), 4),
    }


def choose_admission_threshold(scans: Array, negatives: Array) -> float:
    """The probability of `neither` above which a picture is turned away.

    Where nearly all scans lie below nearly all strangers, midway between, in logits: validation lacks kinds of both. Else so that nearly
    all scans are kept.

    Args:
        scans: (n,), the probability of `neither` of real scans.
        negatives: (n,), that of pictures that are neither.
    """
    below = float(np.quantile(scans, 1 - _LOST_SHARE, method="higher"))
    above = float(np.quantile(negatives, _PASSED_SHARE, method="lower"))
    if above <= below:
        return round(below, 4)
    middle = sum(np.log(p / (1 - p)) for p in np.clip([below, above], 1e-6, 1 - 1e-6)) / 2
    return round(float(1 / (1 + np.exp(-middle))), 4)


def _losses(votes: Votes, wanted: Wanted) -> npt.NDArray[np.float64]:
    return -np.log(np.maximum(votes[np.arange(len(wanted)), wanted], 1e-12))


def _standard_error(gains: npt.NDArray[np.float64], groups: npt.NDArray[np.str_]) -> float:
    """Of the mean of `gains`, where those of a group count as one."""
    _, member = np.unique(groups, return_inverse=True)
    sums = np.bincount(member, gains - gains.mean())
    return float(np.sqrt((sums**2).sum()) / len(gains))
