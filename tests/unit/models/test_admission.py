"""What is read as what, and what is turned away."""

import numpy as np
import numpy.typing as npt
import pytest

from lungline.errors import ModelError
from lungline.findings import Modality
from models.admission import Admission

OUTPUTS = ("xray", "ct", "neither")


class FixedAnswers:
    """A runtime that answers with given probabilities."""

    name = "fixed"

    def __init__(self, votes: list[list[float]]) -> None:
        self.logits = np.log(np.array(votes, np.float32))

    def run(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return self.logits[: len(batch)]

    def warm(self, batch_max: int) -> None:
        raise AssertionError("not asked for")


def admission(votes: list[list[float]]) -> Admission:
    return Admission("admission-1", "gray-96", OUTPUTS, 0.8, FixedAnswers(votes))


@pytest.mark.parametrize(
    ("votes", "said", "decided"),
    [
        ([0.9, 0.05, 0.05], None, Modality.XRAY),
        ([0.2, 0.3, 0.5], None, Modality.CT),  # not surely neither
        ([0.9, 0.05, 0.05], Modality.CT, Modality.CT),  # header and folder are believed
        ([0.05, 0.05, 0.9], None, None),
        ([0.05, 0.05, 0.9], Modality.XRAY, None),  # but not for what is surely neither
    ],
)
def test_decisions(votes: list[float], said: Modality | None, decided: Modality | None) -> None:
    asked = admission([votes])
    (judgements,) = asked.judge(np.zeros((1, 96, 96, 1), np.float32))
    assert judgements == pytest.approx(dict(zip(OUTPUTS, votes, strict=True)))
    assert asked.decide(judgements, said) is decided


def test_what_is_no_number_is_no_decision() -> None:
    with pytest.raises(ModelError, match="admission-1"):
        admission([[float("nan"), 0.5, 0.5]]).judge(np.zeros((1, 96, 96, 1), np.float32))


def test_a_network_for_something_else_is_refused() -> None:
    with pytest.raises(ModelError, match="outputs"):
        Admission("ct-1", "gray-96", ("covid19", "non_covid"), 0.5, FixedAnswers([[0.5, 0.5]]))
