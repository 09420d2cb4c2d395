"""From the scores of a CT's slices to one for its series: a rule that training chose, with a version of its own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lungline.errors import ModelError

SHIPPED: Final = Path(__file__).parent / "shipped" / "series" / "ct.json"
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SliceScore:
    """What the ensemble says of one slice."""

    position_mm: float | None
    covid19: float
    """0 to 1."""


@dataclass(frozen=True)
class SeriesScore:
    """What the rule says of a series."""

    finding: str
    probability: float
    """Of the finding, 0.5 to 1."""
    is_unsure: bool
    """A person should look."""


class SeriesRule(BaseModel):
    """How slice scores are taken together. The probability of covid19 is the logistic function of `intercept + weights . features`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    ensemble: str
    """The version on whose scores it was fitted: what another ensemble's slices give is for review."""
    features: tuple[Literal["top_tenth", "top_half", "mean", "noisy_or", "share_above", "longest_run"], ...] = Field(min_length=1)
    weights: tuple[float, ...]
    intercept: float
    low: float
    """Below this probability of covid19 a series is accepted as non_covid."""
    high: float
    """Above this one it is accepted as covid19; between the two a person should look."""
    lung_share_min: float
    """Slices whose lungs fill less of the body's box lie beyond the lungs, and do not count."""

    def judge(self, slices: Sequence[SliceScore], ensemble: str | None = None) -> SeriesScore:
        """The answer for a series, given one slice at least, in any order; `ensemble`: the version that scored them, if not its own."""
        features = describe(slices)
        logit = self.intercept + sum(weight * features[name] for name, weight in zip(self.features, self.weights, strict=True))
        covid19 = float(1 / (1 + np.exp(-logit)))
        is_covid19 = covid19 >= 0.5
        return SeriesScore(
            finding="covid19" if is_covid19 else "non_covid",
            probability=covid19 if is_covid19 else 1 - covid19,
            is_unsure=self.low < covid19 < self.high or ensemble not in (None, self.ensemble),
        )


def describe(slices: Sequence[SliceScore]) -> dict[str, float]:
    """The features that rules may use, each 0 to 1 but `noisy_or`, which is a logit of at most 10 either way.

    `top_tenth`, `top_half`, `mean`: mean of the highest tenth, half, or all of the scores. `share_above`: of slices above 0.5.
    `longest_run`: of neighbours above 0.5, as a share of all. `noisy_or`: that one slice at least shows it, were all independent.
    """
    ordered = sorted(slices, key=lambda value: (value.position_mm is None, value.position_mm or 0.0))
    scores: Scores = np.array([slice_.covid19 for slice_ in ordered], np.float64)
    highest = np.sort(scores)[::-1]
    above = scores > 0.5
    return {
        "top_tenth": float(highest[: max(1, len(scores) // 10)].mean()),
        "top_half": float(highest[: max(1, len(scores) // 2)].mean()),
        "mean": float(scores.mean()),
        "share_above": float(above.mean()),
        "longest_run": _longest_run(above) / len(scores),
        "noisy_or": _noisy_or(scores),
    }


def _longest_run(above: npt.NDArray[np.bool_]) -> int:
    longest = run = 0
    for is_above in above:
        run = run + 1 if is_above else 0
        longest = max(longest, run)
    return longest


def _noisy_or(scores: Scores) -> float:
    none = float(np.log1p(-np.clip(scores, 0, 1 - 1e-12)).sum())  # the logarithm of the probability that no slice shows it
    some = float(np.log(max(-np.expm1(none), 1e-12)))
    return float(np.clip(some - none, -10, 10))


def shipped() -> SeriesRule:
    """The rule that ships.

    Raises:
        ModelError: it is missing or damaged.
    """
    return read_rule(SHIPPED)


def read_rule(path: Path) -> SeriesRule:
    """The rule in a file.

    Raises:
        ModelError: it is missing or damaged.
    """
    try:
        return SeriesRule.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        raise ModelError(
            "The rule from slices to series is missing or damaged. Restore it with `git checkout -- models/shipped`."
        ) from None
