"""Calibration error, its null, and accuracy against coverage, on votes whose truth is known."""

import numpy as np
import pytest

from training.metrics.reliability import covered_accuracy, ece, ece_null, reliability

RNG = np.random.default_rng(0)
VOTES = RNG.dirichlet([1, 1, 1], 4000)
TRUE = np.array([RNG.choice(3, p=row) for row in VOTES])


def test_only_good_calibration_lies_within_its_null() -> None:
    null = ece_null(VOTES)
    assert null.low is not None
    assert null.high is not None
    assert null.low <= ece(VOTES, TRUE) <= null.high
    boasting = VOTES**3 / (VOTES**3).sum(axis=1, keepdims=True)
    assert ece(boasting, TRUE) > 0.1
    assert ece(boasting, TRUE) > (ece_null(boasting).high or 1)


def test_the_null_of_few_scans_is_far_from_zero() -> None:
    null = ece_null(VOTES[:300])
    assert 0.03 < null.value < 0.1  # why an ECE stands beside it


def test_one_bin_by_hand() -> None:
    votes = np.array([[0.7, 0.3]])
    assert ece(votes, np.array([0])) == pytest.approx(0.3)
    assert ece(votes, np.array([1])) == pytest.approx(0.7)


def test_bins_have_equal_mass_and_rise() -> None:
    bins = reliability(VOTES, TRUE)
    assert len(bins) == 15
    assert {bucket.scans for bucket in bins} <= {266, 267}
    confidences = [bucket.confidence for bucket in bins]
    assert confidences == sorted(confidences)


def test_the_surest_are_right_more_often() -> None:
    shares = [covered_accuracy(VOTES, TRUE, share) for share in (0.2, 0.6, 1.0)]
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] == np.mean(VOTES.argmax(axis=1) == TRUE)
