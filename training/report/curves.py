"""The lines that a report draws: ROC, reliability, risk against coverage."""

import numpy as np
from sklearn.metrics import roc_curve

from training.metrics import figures, reliability
from training.predictions.measure import SplitPredictions
from training.report.contents import Curves, Point, RocCurve


def measure_curves(predicted: SplitPredictions) -> Curves:
    """All of one split."""
    accepted = predicted.accepted
    wrong = predicted.votes.argmax(axis=1) != predicted.wanted
    chosen = Point(x=_short(accepted.mean()), y=_short(wrong[accepted].mean())) if accepted.any() and not accepted.all() else None
    return Curves(
        roc={finding: _roc(predicted, output) for output, finding in enumerate(predicted.findings)},
        reliability_before=reliability.reliability(predicted.uncalibrated, predicted.wanted),
        reliability=reliability.reliability(predicted.votes, predicted.wanted),
        coverage=_coverage(predicted),
        chosen=chosen,
    )


def _roc(predicted: SplitPredictions, output: int) -> RocCurve:
    positive, scores = predicted.wanted == output, predicted.votes[:, output]
    area = figures.auroc(scores, positive)
    if not np.isfinite(area):
        return RocCurve(auroc=None, points=())
    alarms, hits, _ = roc_curve(positive, scores)
    points = tuple(Point(x=_short(x), y=_short(y)) for x, y in zip(alarms, hits, strict=True))
    return RocCurve(auroc=_short(area), points=points)


def _coverage(predicted: SplitPredictions) -> tuple[Point, ...]:
    """Risk among the surest, from the surest tenth on: of fewer scans it jumps about."""
    order = reliability.surest(predicted.votes)
    wrong = np.cumsum(predicted.votes[order].argmax(axis=1) != predicted.wanted[order])
    count = np.arange(1, len(order) + 1)
    return tuple(
        Point(x=_short(n / len(order)), y=_short(missed / n))
        for n, missed in zip(count.tolist(), wrong.tolist(), strict=True)
        if n >= len(order) / 10
    )


def _short(value: float) -> float:
    return round(float(value), 4)
