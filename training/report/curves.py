"""The lines that a report draws: ROC, reliability, risk against coverage."""

from typing import Any

import numpy as np
from sklearn.metrics import roc_curve

from training.metrics import figures, reliability
from training.predictions.measure import Judged

Curves = dict[str, Any]


def curves(judged: Judged) -> Curves:
    """All of one split.

    Returns:
        `roc`: a finding -> its AUROC against the rest (None where not defined), and points {x: false alarms, y: hits}. `reliability_before`
        and `reliability`: a row a bin of the expected calibration error, at temperature 1 and calibrated. `coverage`: {x: share of the
        surest scans, y: share of these that are wrong}. `chosen`: the same of what the thresholds accept; None where they accept all or
        nothing.
    """
    accepted = judged.accepted
    wrong = judged.votes.argmax(axis=1) != judged.wanted
    chosen = {"x": _short(accepted.mean()), "y": _short(wrong[accepted].mean())} if accepted.any() and not accepted.all() else None
    return {
        "roc": {finding: _roc(judged, output) for output, finding in enumerate(judged.findings)},
        "reliability_before": [each.as_json() for each in reliability.reliability(judged.uncalibrated, judged.wanted)],
        "reliability": [each.as_json() for each in reliability.reliability(judged.votes, judged.wanted)],
        "coverage": _coverage(judged),
        "chosen": chosen,
    }


def _roc(judged: Judged, output: int) -> dict[str, Any]:
    positive, scores = judged.wanted == output, judged.votes[:, output]
    area = figures.auroc(scores, positive)
    if not np.isfinite(area):
        return {"auroc": None, "points": []}
    alarms, hits, _ = roc_curve(positive, scores)
    return {"auroc": _short(area), "points": [{"x": _short(x), "y": _short(y)} for x, y in zip(alarms, hits, strict=True)]}


def _coverage(judged: Judged) -> list[dict[str, float]]:
    """Risk among the surest, from the surest tenth on: of fewer scans it jumps about."""
    order = reliability.surest(judged.votes)
    wrong = np.cumsum(judged.votes[order].argmax(axis=1) != judged.wanted[order])
    count = np.arange(1, len(order) + 1)
    return [
        {"x": _short(n / len(order)), "y": _short(missed / n)}
        for n, missed in zip(count.tolist(), wrong.tolist(), strict=True)
        if n >= len(order) / 10
    ]


def _short(value: float) -> float:
    return round(float(value), 4)
