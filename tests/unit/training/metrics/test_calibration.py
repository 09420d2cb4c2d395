"""What is chosen on validation."""

import numpy as np
import pytest

from models.calibration import probabilities
from training.metrics.calibration import (
    choose_admission_threshold,
    choose_review_thresholds,
    choose_voters,
    fit_temperature,
    fit_vote_weights,
)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5, 8.0])  # a wide head on frozen features is sure of everything
def test_temperature_is_found_again(true: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3 * max(1.0, true), (20_000, 3))
    outputs = np.array([rng.choice(3, p=row) for row in probabilities(logits, true)])
    assert fit_temperature(logits, outputs) == pytest.approx(true, rel=0.06)


def test_three_of_ten_validation_scans_go_to_review() -> None:
    first = np.linspace(0.5, 1, 101)
    found = choose_review_thresholds(np.stack([first, 1 - first], axis=1)[np.newaxis], [1.0])
    assert found == {"margin": pytest.approx(0.3), "disagreement": 0}


def test_admission_keeps_nearly_all_real_scans() -> None:
    neither = np.random.default_rng(0).beta(1, 20, 400)
    assert np.mean(neither <= choose_admission_threshold(neither, neither) + 1e-4) >= 0.99


def test_admission_threshold_is_midway_between_distant_groups() -> None:
    assert choose_admission_threshold(np.full(300, 0.01), np.full(60, 0.99)) == pytest.approx(0.5)
    assert 0.01 < choose_admission_threshold(np.full(300, 0.01), np.full(60, 0.6)) < 0.3
    assert choose_admission_threshold(np.zeros(300), np.ones(60)) == pytest.approx(0.5)


def test_disagreement_is_measured_from_the_weighted_vote() -> None:
    votes = np.array([[[0.2, 0.8], [0.6, 0.4]]])
    differing = np.concatenate([votes, votes[:, ::-1]])
    assert choose_review_thresholds(differing, [0.5, 0.5])["disagreement"] == pytest.approx(0.2)
    assert choose_review_thresholds(differing, [1.0, 0.0])["disagreement"] == pytest.approx(0.2)
    assert choose_review_thresholds(np.concatenate([votes, votes]), [0.5, 0.5])["disagreement"] == 0


def _members(skills: list[float], scans: int) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated votes of members of some skill, and the truth."""
    rng = np.random.default_rng(1)
    wanted = rng.integers(0, 2, scans)
    sides = np.where(wanted == 0, 1.0, -1.0)
    logits = [skill * sides + rng.normal(0, 1, scans) for skill in skills]
    return np.stack(
        [probabilities(np.stack([2 * s * z, np.zeros(scans)], axis=1), 1.0) for s, z in zip(skills, logits, strict=True)]
    ), wanted


def test_like_members_weigh_the_same_and_a_poor_one_less() -> None:
    groups = np.arange(2000).astype(str)
    votes, wanted = _members([1.0, 1.0], 2000)
    assert fit_vote_weights(votes, wanted, groups) == [0.5, 0.5]
    votes, wanted = _members([1.5, 0.05], 2000)
    assert fit_vote_weights(votes, wanted, groups) == [0.8, 0.2]


def test_few_scans_are_no_ground_to_leave_equal_weights() -> None:
    votes, wanted = _members([1.0, 0.9], 60)
    assert fit_vote_weights(votes, wanted, np.arange(60).astype(str)) == [0.5, 0.5]
    assert fit_vote_weights(votes[:1], wanted, np.arange(60).astype(str)) == [1.0]


def test_of_many_members_few_vote() -> None:
    votes, wanted = _members([1.0] * 6 + [0.3, 0.2, 0.1, 0.0, 0.0, 0.0, 0.0], 2000)
    chosen = choose_voters(votes, wanted, np.arange(2000).astype(str))
    assert len(chosen) == 4
    assert set(chosen) < set(range(6))


def test_voters_are_named_in_their_order_whichever_is_best() -> None:
    votes, wanted = _members([0.0, 1.0, 0.0, 1.3], 2000)
    assert choose_voters(votes, wanted, np.arange(2000).astype(str)) == [1, 3]


def test_a_second_member_joins_unless_it_harms() -> None:
    groups = np.arange(60).astype(str)
    votes, wanted = _members([1.5, 1.0], 60)
    assert choose_voters(votes, wanted, groups) == [0, 1]
    votes[1] = votes[1][:, ::-1]  # mostly wrong, and sure of it
    assert choose_voters(votes, wanted, groups) == [0]
    assert choose_voters(votes[:1], wanted, groups) == [0]


def test_a_third_member_joins_only_by_more_than_chance() -> None:
    votes, wanted = _members([1.0] * 3, 2000)
    assert choose_voters(votes, wanted, np.arange(2000).astype(str)) == [0, 1, 2]
    assert len(choose_voters(votes[:, :60], wanted[:60], np.arange(60).astype(str))) == 2
