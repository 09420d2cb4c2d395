"""Chooses the rule by sources left out: each candidate is fitted without one source, and asked about its patients."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from models.series_rule import SeriesRule, describe
from training.metrics.figures import auroc
from training.series.patients import Patient

CANDIDATES: Final[dict[str, tuple[str, ...]]] = {
    "mean of all slices": ("mean",),
    "mean of the top half": ("top_half",),
    "mean of the top tenth": ("top_tenth",),
    "noisy-or": ("noisy_or",),
    "share of slices above .5": ("share_above",),
    "quantiles and longest run": ("top_tenth", "mean", "longest_run"),
}
_PRECISION: Final = 0.9  # that an accepted answer must reach on sources left out
_FEWEST: Final = 20  # patients that must be accepted for that to be believed
_RESAMPLES: Final = 2000

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RuleFit:
    """How a candidate did on patients of sources that it was not fitted on."""

    name: str
    features: tuple[str, ...]
    loss: float
    """Mean over sources of the log loss; .693 is what .5 for everybody has."""
    loss_low: float
    loss_high: float
    """95 % interval by bootstrap over sources."""
    auroc: float
    """Of all patients together."""
    answers: Numbers
    """(patients,), the probability of covid19."""


def compare(patients: Sequence[Patient]) -> list[RuleFit]:
    """All candidates, the best first: the least mean log loss over sources left out."""
    return sorted((_try(name, features, patients) for name, features in CANDIDATES.items()), key=lambda fitted: fitted.loss)


def _try(name: str, features: tuple[str, ...], patients: Sequence[Patient]) -> RuleFit:
    sources = np.array([patient.source for patient in patients])
    wanted = _wanted(patients)
    answers = np.zeros(len(patients))
    losses = []
    for source in sorted(set(sources)):
        out = sources == source
        model = _fit(features, [first for first, left in zip(patients, out, strict=True) if not left])
        answers[out] = model.predict_proba(_table(features, [first for first, left in zip(patients, out, strict=True) if left]))[:, 1]
        losses.append(float(log_loss(wanted[out], answers[out], labels=[0, 1])))
    rng = np.random.default_rng(0)
    means = [float(rng.choice(losses, len(losses)).mean()) for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, (2.5, 97.5))
    return RuleFit(name, features, float(np.mean(losses)), float(low), float(high), auroc(answers, wanted.astype(bool)), answers)


def make_rule(fitted: RuleFit, patients: Sequence[Patient], lung_share_min: float, ensemble: str) -> SeriesRule:
    """The candidate fitted on all patients. An answer is accepted only beyond a threshold that held on sources left out."""
    model = _fit(fitted.features, patients)
    wanted = _wanted(patients)
    plain = {
        "ensemble": ensemble,
        "features": fitted.features,
        "weights": [round(float(value), 4) for value in model.coef_[0]],
        "intercept": round(float(model.intercept_[0]), 4),
        "low": 1 - _threshold(1 - fitted.answers, 1 - wanted),
        "high": _threshold(fitted.answers, wanted),
        "lung_share_min": lung_share_min,
    }
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:8]
    return SeriesRule.model_validate({"version": f"ct-series-1-{digest}", **plain})


def _threshold(answers: Numbers, wanted: Numbers) -> float:
    """The least probability from which on enough answers were right, of patients of sources left out; 1: there is none."""
    for limit in np.unique(answers[answers >= 0.5]):
        accepted = answers >= limit
        if accepted.sum() >= _FEWEST and wanted[accepted].mean() >= _PRECISION:
            return round(float(limit), 4)
    return 1.0


def _fit(features: tuple[str, ...], patients: Sequence[Patient]) -> LogisticRegression:
    """Each source weighs the same within a finding, and both findings the same."""
    wanted = _wanted(patients)
    sources = np.array([patient.source for patient in patients])
    weights = np.zeros(len(patients))
    for finding in (0, 1):
        names = sorted(set(sources[wanted == finding]))
        for name in names:
            mine = (wanted == finding) & (sources == name)
            weights[mine] = len(patients) / (2 * len(names) * mine.sum())
    return LogisticRegression().fit(_table(features, patients), wanted, sample_weight=weights)


def _table(features: tuple[str, ...], patients: Sequence[Patient]) -> Numbers:
    described = [describe(patient.slices) for patient in patients]
    return np.array([[value[name] for name in features] for value in described])


def _wanted(patients: Sequence[Patient]) -> Numbers:
    return np.array([float(patient.is_covid19) for patient in patients])
