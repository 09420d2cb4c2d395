"""What is chosen on validation."""

import numpy as np
import pytest

from models.calibration import probabilities
from training.calibrate import admission_threshold, review_disagreement, review_margin, temperature


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_temperature_is_found_again(true: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (20_000, 3))
    outputs = np.array([rng.choice(3, p=row) for row in probabilities(logits, true)])
    assert temperature(logits, outputs) == pytest.approx(true, rel=0.06)


def test_three_of_ten_validation_scans_go_to_review() -> None:
    first = np.linspace(0.5, 1, 101)
    margin = review_margin(np.stack([first, 1 - first], axis=1))
    assert margin == pytest.approx(0.3)


def test_admission_keeps_nearly_all_real_scans() -> None:
    neither = np.random.default_rng(0).beta(1, 20, 400)
    assert np.mean(neither <= admission_threshold(neither) + 1e-4) >= 0.99


def test_members_that_agree_set_no_bound_that_they_exceed() -> None:
    votes = np.array([[[0.2, 0.8], [0.6, 0.4]]])
    assert review_disagreement(votes) == 0
    differing = np.concatenate([votes, votes[:, ::-1]])
    assert review_disagreement(differing) == pytest.approx(0.2)
