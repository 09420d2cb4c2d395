"""The gate on simulated votes: equals are held, the harmed are refused by the right clause, the better pass."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lungline.findings import FINDINGS, Modality
from models.records import Figure
from training.data.datasets import Example
from training.gate import rule
from training.gate.rule import Besides
from training.predictions.measure import SplitPredictions
from training.rulings import ClauseOutcome, Decision, Ruling

FINDINGS_OF_XRAY = FINDINGS[Modality.XRAY]
NOTHING = Besides(shuffled={}, fault=None, newer_labels=False, speeds=())
NEWER = dataclasses.replace(NOTHING, newer_labels=True)

_PATIENTS = 110  # two scans each


@pytest.fixture(autouse=True)
def _fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.metrics.figures.RESAMPLES", 400)


def draw_predictions(seed: int, skill: float = 2.2, wanted: np.ndarray | None = None, noise: float = 1.0) -> SplitPredictions:
    """What a network of some skill says of 220 scans of 110 patients from four sources; `seed` is its own luck."""
    rng = np.random.default_rng(7)
    wanted = np.repeat(rng.integers(0, 3, _PATIENTS), 2) if wanted is None else wanted
    shared = rng.normal(0, 1, (len(wanted), 3))  # what makes a scan hard for every network
    own = np.random.default_rng(seed).normal(0, 0.5, (len(wanted), 3))
    logits = skill * np.eye(3)[wanted] + noise * (shared + own)
    votes = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    examples = [
        Example(Path(f"{row}"), FINDINGS_OF_XRAY[finding], f"patient {row // 2}", f"clinic {row // 2 % 4}", "gate")
        for row, finding in enumerate(wanted)
    ]
    return SplitPredictions("gate", examples, FINDINGS_OF_XRAY, wanted, votes, votes, np.ones(len(wanted), bool), np.zeros(len(wanted)))


def with_votes(predicted_split: SplitPredictions, votes: np.ndarray) -> SplitPredictions:
    return dataclasses.replace(predicted_split, votes=votes, uncalibrated=votes)


def failed(ruling: Ruling) -> set[str]:
    return {clause.name for clause in ruling.clauses if clause.outcome is ClauseOutcome.FAILED}


def test_equal_retrains_are_held_and_seldom_refused() -> None:
    decisions = [rule.judge(draw_predictions(seed), draw_predictions(seed + 1000), NOTHING, 1).decision for seed in range(16)]
    assert decisions.count(Decision.PASSED) <= 2
    assert decisions.count(Decision.HELD) >= 10


def test_an_equal_one_that_learnt_from_newer_labels_passes() -> None:
    ruling = rule.judge(draw_predictions(1), draw_predictions(1), NEWER, 3)
    assert ruling.decision is Decision.PASSED
    assert "newer labels" in ruling.reason
    assert "(use 3 of this split)" in ruling.lines()[0]


def test_a_better_one_passes() -> None:
    ruling = rule.judge(draw_predictions(1, skill=1.2), draw_predictions(2, skill=3.0), NOTHING, 1)
    assert ruling.decision is Decision.PASSED
    assert ruling.reason == "no harm was found; better"


def test_faster_equal_passes_and_timing_noise_does_not() -> None:
    assert (
        rule.judge(draw_predictions(1), draw_predictions(1), dataclasses.replace(NOTHING, speeds=(1.9, 2.2, 1.4)), 1).decision
        is Decision.PASSED
    )
    assert (
        rule.judge(draw_predictions(1), draw_predictions(1), dataclasses.replace(NOTHING, speeds=(1.9, 1.05, 1.4)), 1).decision
        is Decision.HELD
    )


def test_one_that_ranks_worse_is_refused_whatever_speaks_for_it() -> None:
    ruling = rule.judge(draw_predictions(1, skill=2.5), draw_predictions(2, skill=0.8), dataclasses.replace(NEWER, speeds=(3.0,)), 1)
    assert ruling.decision is Decision.REFUSED
    assert {rule.MACRO_AUROC, rule.LOWER_BOUND, rule.BRIER} <= failed(ruling)
    assert "macro_auroc" in ruling.reason


def test_missed_covid19_is_refused_by_the_sensitivity_clause() -> None:
    champion = draw_predictions(1)
    shy = champion.votes.copy()
    unsure = (champion.wanted == 0) & (shy[:, 0] < 0.8)
    shy[unsure] = shy[unsure][:, [1, 0, 2]]
    ruling = rule.judge(champion, with_votes(champion, shy), NEWER, 1)
    assert ruling.decision is Decision.REFUSED
    assert rule.SENSITIVITY in failed(ruling)


def test_overconfidence_is_refused_by_the_brier_score_alone() -> None:
    champion = draw_predictions(1, skill=1.5)
    sharp = champion.votes**6
    sharp /= sharp.sum(axis=1, keepdims=True)
    ruling = rule.judge(champion, with_votes(champion, sharp), NEWER, 1)
    assert ruling.decision is Decision.REFUSED
    assert rule.BRIER in failed(ruling)
    assert rule.SENSITIVITY not in failed(ruling)


def test_harm_within_one_source_is_found_under_its_name() -> None:
    champion = draw_predictions(1, skill=3.0)
    votes = champion.votes.copy()
    there = champion.sources == "clinic 2"
    votes[there] = np.roll(votes[there], 1, axis=1)
    ruling = rule.judge(champion, with_votes(champion, votes), NEWER, 1)
    within = {clause.source: clause.outcome for clause in ruling.clauses if clause.name == rule.IN_SOURCE}
    assert within == {
        "clinic 0": ClauseOutcome.PASSED,
        "clinic 1": ClauseOutcome.PASSED,
        "clinic 2": ClauseOutcome.FAILED,
        "clinic 3": ClauseOutcome.PASSED,
    }
    assert ruling.decision is Decision.REFUSED


def test_rare_finding_in_a_source_refuses_nobody_by_resampling() -> None:
    """One that always gives the commonest answer is worse; without the rare finding it would be perfect, and its interval reach 1."""
    wanted = np.zeros(2 * _PATIENTS, np.intp)
    wanted[[0, 8, 16]] = 1  # of clinic 0
    champion = draw_predictions(1, wanted=wanted)
    champion = with_votes(champion, np.eye(3)[wanted])
    always = np.tile([0.8, 0.1, 0.1], (len(wanted), 1))
    ruling = rule.judge(champion, with_votes(champion, always), NEWER, 1)
    (clause,) = [value for value in ruling.clauses if value.source == "clinic 0"]
    assert (clause.difference, clause.low, clause.high) == (-0.5, -0.5, -0.5)
    assert clause.outcome is ClauseOutcome.FAILED


def test_a_source_of_fewer_than_thirty_scans_is_no_clause() -> None:
    champion = draw_predictions(1)
    examples = [dataclasses.replace(example, source="rare" if row < 29 else "common") for row, example in enumerate(champion.examples)]
    champion = dataclasses.replace(champion, examples=examples)
    ruling = rule.judge(champion, champion, NOTHING, 1)
    assert [clause.source for clause in ruling.clauses if clause.name == rule.IN_SOURCE] == ["common"]


@pytest.mark.parametrize(("low", "decision"), [(0.51, Decision.REFUSED), (0.47, Decision.PASSED)])
def test_a_recipe_whose_control_is_not_at_chance_is_refused(low: float, decision: Decision) -> None:
    shuffled = {"xray-cnn": Figure(value=low + 0.06, low=low, high=low + 0.1)}
    assert rule.judge(draw_predictions(1), draw_predictions(1), dataclasses.replace(NEWER, shuffled=shuffled), 1).decision is decision


def test_refused_if_files_fail_to_load_or_runtimes_disagree() -> None:
    fault = dataclasses.replace(NEWER, fault="The weights of member `xray-cnn-0` are damaged.")
    for challenger in (None, draw_predictions(1)):
        ruling = rule.judge(draw_predictions(1), challenger, fault, 1)
        assert ruling.decision is Decision.REFUSED
        assert failed(ruling) == {rule.FILES}


def test_nothing_is_promoted_on_scans_of_a_single_finding() -> None:
    single_class = draw_predictions(1, wanted=np.zeros(2 * _PATIENTS, np.intp))
    ruling = rule.judge(single_class, single_class, NEWER, 1)
    assert ruling.decision is Decision.HELD
    assert "do not have all findings" in ruling.reason
    outcomes = {clause.name: clause.outcome for clause in ruling.clauses}
    assert outcomes[rule.MACRO_AUROC] is outcomes[rule.LOWER_BOUND] is ClauseOutcome.UNDEFINED
    assert outcomes[rule.SENSITIVITY] is ClauseOutcome.PASSED


def test_others_than_the_same_scans_are_no_comparison() -> None:
    other = dataclasses.replace(draw_predictions(1), examples=list(reversed(draw_predictions(1).examples)))
    with pytest.raises(ValueError, match="same scans"):
        rule.judge(draw_predictions(1), other, NOTHING, 1)


def test_every_clause_tells_its_figures() -> None:
    ruling = rule.judge(draw_predictions(1), draw_predictions(2), NEWER, 2)
    clause = next(clause for clause in ruling.clauses if clause.name == rule.MACRO_AUROC)
    assert (clause.images, clause.groups) == (220, 110)
    assert (clause.low or 1) <= (clause.difference or 0) <= (clause.high or -1)
    assert abs((clause.challenger or 0) - (clause.champion or 0) - (clause.difference or 9)) < 1e-4
    at_random = dataclasses.replace(NEWER, shuffled={"xray-cnn": Figure(value=0.53, low=0.47, high=0.6)}, speeds=(0.9, 1.3))
    answer = rule.judge(draw_predictions(1), draw_predictions(2), at_random, 2).lines()
    assert "gate: shuffled_labels (xray-cnn): passed 0.530 [0.470, 0.600]" in answer
    assert "gate: faster: not given 1.100 [0.900, 1.300]" in answer
    assert any("macro_auroc: passed 0." in line and "on 220 scans of 110 groups" in line for line in ruling.lines())
