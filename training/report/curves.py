"""The lines that a report draws: ROC, reliability, risk against coverage."""

from typing import Any

import numpy as np
from sklearn.metrics import roc_curve

from training.metrics import figures, reliability
from training.predictions.measure import SplitPredictions

Curves = dict[str, Any]


def curves(predicted: SplitPredictions) -> Curves:
    """All of one split.

    Returns:
        `roc`: a finding -> its AUROC against the rest (None where not defined), and points {x: false alarms, y: hits}. `reliability_before`
        and `reliability`: a row a bin of the expected calibration error, at temperature 1 and calibrated. `coverage`: {x: share of the
        surest scans, y: share of these that are wrong}. `chosen`: the same of what the thresholds accept; None where they accept all or
        nothing.
    """
    accepted = predicted.accepted
    wrong = predicted.votes.argmax(axis=1) != predicted.wanted
    chosen = {"x": _short(accepted.mean()), "y": _short(wrong[accepted].mean())} if accepted.any() and not accepted.all() else None
    return {
        "roc": {finding: _roc(predicted, output) for output, finding in enumerate(predicted.findings)},
        "reliability_before": [each.as_json() for each in reliability.reliability(predicted.uncalibrated, predicted.wanted)],
        "reliability": [each.as_json() for each in reliability.reliability(predicted.votes, predicted.wanted)],
        "coverage": _coverage(predicted),
        "chosen": chosen,
    }


def _roc(predicted: SplitPredictions, output: int) -> dict[str, Any]:
    positive, scores = predicted.wanted == output, predicted.votes[:, output]
    area = figures.auroc(scores, positive)
    if not np.isfinite(area):
        return {"auroc": None, "points": []}
    alarms, hits, _ = roc_curve(positive, scores)
    return {"auroc": _short(area), "points": [{"x": _short(x), "y": _short(y)} for x, y in zip(alarms, hits, strict=True)]}


def _coverage(predicted: SplitPredictions) -> list[dict[str, float]]:
    """Risk among the surest, from the surest tenth on: of fewer scans it jumps about."""
    order = reliability.surest(predicted.votes)
    wrong = np.cumsum(predicted.votes[order].argmax(axis=1) != predicted.wanted[order])
    count = np.arange(1, len(order) + 1)
    return [
        {"x": _short(n / len(order)), "y": _short(missed / n)}
        for n, missed in zip(count.tolist(), wrong.tolist(), strict=True)
        if n >= len(order) / 10
    ]


def _short(value: float) -> float:
    return round(float(value), 4)
