"""The vote, its calibration, and when a person is asked."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from lungline.errors import ModelError
from lungline.findings import Modality, Status
from models.ensemble import Ensemble, Review, Seat

INPUTS = {"gray-96": np.zeros((2, 96, 96, 1), np.float32)}
NEVER = Review(margin=0.0, disagreement=1.0)


class FixedLogits:
    """A runtime that answers with given logits, whatever it is asked."""

    name = "fixed"

    def __init__(self, logits: list[list[float]]) -> None:
        self.logits = np.array(logits, np.float32)

    def run(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return self.logits[: len(batch)]

    def warm(self, batch_max: int) -> None:
        self.warmed = batch_max


def seat(
    name: str,
    votes: list[list[float]],
    outputs: tuple[str, ...] = ("covid19", "non_covid"),
    *,
    weight: float = 1.0,
    temperature: float = 1.0,
) -> Seat:
    """A member that gives the probabilities `votes` at temperature 1."""
    return Seat(name, f"{name}-1", "gray-96", outputs, temperature, weight, FixedLogits(np.log(votes).tolist()))


def test_soft_vote_is_the_weighted_mean() -> None:
    first, second = seat("a", [[0.9, 0.1], [0.2, 0.8]], weight=3.0), seat("b", [[0.5, 0.5], [0.6, 0.4]])
    judgements = Ensemble("ct-1", Modality.CT, [first, second], NEVER).judge(INPUTS)
    assert [each.finding for each in judgements] == ["covid19", "non_covid"]
    assert judgements[0].probability == pytest.approx(0.8)
    assert judgements[1].probabilities == pytest.approx({"covid19": 0.3, "non_covid": 0.7})
    assert [(each.member, each.version) for each in judgements[0].predictions] == [("a", "a-1"), ("b", "b-1")]
    assert judgements[0].predictions[1].probabilities == pytest.approx({"covid19": 0.5, "non_covid": 0.5})


def test_probabilities_are_doubles_that_sum_to_one() -> None:
    member = seat("a", [[0.3, 0.3, 0.4], [1e-30, 1e-30, 1.0]], ("covid19", "pneumonia", "normal"))
    for judgement in Ensemble("xray-1", Modality.XRAY, [member, member], NEVER).judge(INPUTS):
        assert sum(judgement.probabilities.values()) == pytest.approx(1, abs=1e-12)
        assert all(type(value) is float for value in judgement.probabilities.values())
        assert type(judgement.disagreement) is float
        assert math.isfinite(judgement.entropy)


def test_temperature_softens_and_keeps_the_order() -> None:
    hot = Ensemble("ct-1", Modality.CT, [seat("a", [[0.9, 0.1]], temperature=2.0)], NEVER).judge({"gray-96": INPUTS["gray-96"][:1]})[0]
    assert hot.probability == pytest.approx(0.75)  # odds 9 become sqrt(9)


def test_disagreement_is_the_mean_total_variation_distance() -> None:
    members = [seat("a", [[1 - 1e-12, 1e-12]]), seat("b", [[1e-12, 1 - 1e-12]])]
    judgement = Ensemble("ct-1", Modality.CT, members, NEVER).judge({"gray-96": INPUTS["gray-96"][:1]})[0]
    assert judgement.disagreement == pytest.approx(0.5)
    assert judgement.entropy == pytest.approx(math.log(2))
    alone = Ensemble("ct-1", Modality.CT, members[:1], NEVER).judge({"gray-96": INPUTS["gray-96"][:1]})[0]
    assert alone.disagreement == 0
    assert alone.entropy == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("review", "statuses"),
    [
        (Review(margin=0.3, disagreement=1.0), [Status.REVIEW, Status.ACCEPTED]),
        (Review(margin=0.0, disagreement=0.2), [Status.ACCEPTED, Status.REVIEW]),
        (NEVER, [Status.ACCEPTED, Status.ACCEPTED]),
    ],
)
def test_review_where_it_is_close_or_members_differ(review: Review, statuses: list[Status]) -> None:
    members = [seat("a", [[0.6, 0.4], [0.99, 0.01]]), seat("b", [[0.6, 0.4], [0.49, 0.51]])]
    assert [each.status for each in Ensemble("ct-1", Modality.CT, members, review).judge(INPUTS)] == statuses


def test_labels_of_a_member_fold_onto_findings() -> None:
    member = seat("a", [[0.2, 0.3, 0.4, 0.1]], ("covid19", "cap", "non_covid", "normal"))
    judgement = Ensemble("ct-1", Modality.CT, [member], NEVER).judge({"gray-96": INPUTS["gray-96"][:1]})[0]
    assert judgement.probabilities == pytest.approx({"covid19": 0.2, "non_covid": 0.8})


@pytest.mark.parametrize("outputs", [("covid19", "fracture"), ("non_covid", "cap")])
def test_a_member_that_does_not_fit_may_not_join(outputs: tuple[str, ...]) -> None:
    with pytest.raises(ModelError, match="may not join"):
        Ensemble("ct-1", Modality.CT, [seat("a", [[0.5, 0.5]], outputs)], NEVER)


def test_an_empty_ensemble_is_refused() -> None:
    with pytest.raises(ModelError, match="no member"):
        Ensemble("ct-1", Modality.CT, [], NEVER)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_no_number_is_no_verdict(number: float) -> None:
    broken = Seat("a", "a-1", "gray-96", ("covid19", "non_covid"), 1.0, 1.0, FixedLogits([[0.0, 1.0], [number, 0.0]]))
    with pytest.raises(ModelError, match="a-1"):
        Ensemble("ct-1", Modality.CT, [broken], NEVER).judge(INPUTS)


def test_members_are_warmed_and_preprocessings_named_once() -> None:
    members = [seat("a", [[0.5, 0.5]]), seat("b", [[0.5, 0.5]])]
    ensemble = Ensemble("ct-1", Modality.CT, members, NEVER)
    ensemble.warm(8)
    assert ensemble.preprocesses == ("gray-96",)
    assert [member.runtime.warmed for member in members if isinstance(member.runtime, FixedLogits)] == [8, 8]


def test_an_empty_batch_gives_no_judgement() -> None:
    ensemble = Ensemble("ct-1", Modality.CT, [seat("a", [[0.5, 0.5]])], NEVER)
    assert ensemble.judge({"gray-96": INPUTS["gray-96"][:0]}) == []
