"""Figures against what scikit-learn and plain reasoning give."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from training.figures import accuracy, auroc, balanced_accuracy, macro_auroc, with_interval

RNG = np.random.default_rng(0)
WANTED = RNG.integers(0, 3, 200)
VOTES = RNG.dirichlet([1, 1, 1], 200) + 0.5 * np.eye(3)[WANTED]
VOTES = VOTES / VOTES.sum(axis=1, keepdims=True)


def test_same_as_scikit_learn() -> None:
    assert macro_auroc(VOTES, WANTED) == pytest.approx(roc_auc_score(WANTED, VOTES, multi_class="ovr"))
    assert balanced_accuracy(VOTES, WANTED) == pytest.approx(balanced_accuracy_score(WANTED, VOTES.argmax(axis=1)))
    assert accuracy(VOTES, WANTED) == np.mean(VOTES.argmax(axis=1) == WANTED)


def test_auroc_counts_ties_half_and_knows_no_side_alone() -> None:
    assert auroc(np.array([0.1, 0.5, 0.5, 0.9]), np.array([False, False, True, True])) == pytest.approx(0.875)
    assert np.isnan(auroc(np.array([0.1, 0.2]), np.array([True, True])))


def test_interval_is_over_groups_and_repeatable() -> None:
    alone = np.arange(200).astype(str)
    pairs = (np.arange(200) // 10).astype(str)
    narrow, again, wide = (with_interval(accuracy, VOTES, WANTED, groups) for groups in (alone, alone, pairs))
    assert narrow == again
    assert narrow["low"] is not None
    assert narrow["high"] is not None
    assert narrow["low"] < narrow["value"] < narrow["high"]
    repeated = np.repeat(np.arange(20), 10)
    same = with_interval(accuracy, VOTES[repeated], WANTED[repeated], repeated.astype(str))
    assert same["low"] is not None
    assert same["high"] is not None
    assert same["high"] - same["low"] > 2 * (narrow["high"] - narrow["low"])  # ten copies of a scan are one witness
    assert wide["value"] == narrow["value"]


def test_no_interval_where_resamples_lose_an_output() -> None:
    votes, wanted = np.eye(2)[[0, 1]], np.array([0, 1])
    found = with_interval(macro_auroc, votes, wanted, np.array(["a", "b"]))
    assert found["value"] == 1
    few = with_interval(macro_auroc, np.eye(3), np.arange(3), np.array(["a", "b", "c"]))
    assert few["low"] is None
