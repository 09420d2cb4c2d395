"""Figures against what scikit-learn and plain reasoning give."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, precision_recall_fscore_support, roc_auc_score

from models.records import Figure
from training.metrics.figures import (
    accuracy,
    auroc,
    balanced_accuracy,
    brier,
    macro_auroc,
    occurring_auroc,
    of_output,
    precision_at,
    with_intervals,
)

RNG = np.random.default_rng(0)
WANTED = RNG.integers(0, 3, 200)
VOTES = RNG.dirichlet([1, 1, 1], 200) + 0.5 * np.eye(3)[WANTED]
VOTES = VOTES / VOTES.sum(axis=1, keepdims=True)


def test_same_as_scikit_learn() -> None:
    assert macro_auroc(VOTES, WANTED) == pytest.approx(roc_auc_score(WANTED, VOTES, multi_class="ovr"))
    assert balanced_accuracy(VOTES, WANTED) == pytest.approx(balanced_accuracy_score(WANTED, VOTES.argmax(axis=1)))
    assert accuracy(VOTES, WANTED) == np.mean(VOTES.argmax(axis=1) == WANTED)
    assert brier(VOTES, WANTED) == pytest.approx(brier_score_loss(WANTED, VOTES, scale_by_half=False))
    precision, recall, f1, _ = precision_recall_fscore_support(WANTED, VOTES.argmax(axis=1))
    for output in range(3):
        answer = of_output(VOTES, WANTED, output)
        assert (answer["precision"], answer["sensitivity"], answer["f1"]) == pytest.approx((precision[output], recall[output], f1[output]))
    quiet = (VOTES.argmax(axis=1) != 1)[WANTED != 1].mean()
    assert of_output(VOTES, WANTED, 1)["specificity"] == pytest.approx(quiet)


def test_precision_falls_with_prevalence() -> None:
    assert precision_at(0.5, 0.9, 0.9) == pytest.approx(0.9)
    assert precision_at(0.1, 0.9, 0.9) == pytest.approx(0.5)
    assert np.isnan(precision_at(0.1, 0.0, 1.0))


def test_auroc_counts_ties_half_and_knows_no_side_alone() -> None:
    assert auroc(np.array([0.1, 0.5, 0.5, 0.9]), np.array([False, False, True, True])) == pytest.approx(0.875)
    assert np.isnan(auroc(np.array([0.1, 0.2]), np.array([True, True])))


def of_accuracy(rows: np.ndarray) -> dict[str, float]:
    return {"accuracy": accuracy(VOTES[rows], WANTED[rows])}


def test_interval_is_over_groups_and_repeatable() -> None:
    alone = np.arange(200).astype(str)
    pairs = (np.arange(200) // 10).astype(str)
    narrow, second_time, wide = (with_intervals(groups, of_accuracy)["accuracy"] for groups in (alone, alone, pairs))
    assert narrow == second_time
    assert narrow.low is not None
    assert narrow.high is not None
    assert narrow.low < narrow.value < narrow.high
    repeated = np.repeat(np.arange(20), 10)
    same = with_intervals(repeated.astype(str), lambda rows: of_accuracy(repeated[rows]))["accuracy"]
    assert same.low is not None
    assert same.high is not None
    assert same.high - same.low > 2 * (narrow.high - narrow.low)  # ten copies of a scan are one witness
    assert wide.value == narrow.value


def test_a_resample_that_loses_an_output_does_not_count() -> None:
    wanted = np.repeat([0, 1], [27, 3])
    votes = np.tile([0.9, 0.1], (30, 1))  # always the first
    answer = with_intervals(np.arange(30).astype(str), lambda rows: {"it": balanced_accuracy(votes[rows], wanted[rows], wanted)})
    assert answer["it"] == Figure(value=0.5, low=0.5, high=0.5)
    three = np.repeat([0, 1, 2], 10)
    assert np.isnan(occurring_auroc(VOTES[:20], three[:20], three))
    assert occurring_auroc(VOTES[:20], three[:20], three[:20]) == occurring_auroc(VOTES[:20], three[:20])


def test_no_interval_where_resamples_lose_an_output() -> None:
    votes, wanted = np.eye(3), np.arange(3)
    few = with_intervals(np.array(["a", "b", "c"]), lambda rows: {"auroc": macro_auroc(votes[rows], wanted[rows])})["auroc"]
    assert few == Figure(value=1, low=None, high=None)
    assert with_intervals(np.array(["a", "b"]), lambda rows: {"nothing": float("nan")}) == {}
