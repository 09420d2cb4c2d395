"""The stored set: the same on every machine, and sharp enough to find a runtime that rounds too much."""

import numpy as np
import numpy.typing as npt
import pytest

from lungline.findings import Modality
from models.calibration import probabilities
from models.registry import REFERENCE, shipped
from models.runtimes import agreement


class Wrong:
    """A runtime that is wrong by so much, on one picture."""

    name = "wrong"

    def __init__(self, right: npt.NDArray[np.float32], by: float) -> None:
        self._answers = right.copy()
        self._answers[3, 0] += by

    def run(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return self._answers[: len(batch)]

    def warm(self, batch_max: int) -> None: ...


def test_a_difference_on_one_picture_is_found() -> None:
    right = np.zeros((32, 2), np.float32)
    assert agreement.measure_difference(Wrong(right, 0.0), "gray-96", right, 1.0) == 0
    assert agreement.measure_difference(Wrong(right, 0.1), "gray-96", right, 1.0) == pytest.approx(0.025, rel=1e-3)
    assert agreement.measure_difference(Wrong(right, 0.1), "gray-96", right, 0.5) == pytest.approx(
        0.05, rel=1e-3
    )  # what temperature makes of it
    sure = right + np.array([40, 0], np.float32)
    assert agreement.measure_difference(Wrong(sure, 0.1), "gray-96", sure, 1.0) == pytest.approx(
        0.025, rel=1e-3
    )  # on an unsure picture it would matter
    assert not agreement.measure_difference(Wrong(right, np.nan), "gray-96", right, 1.0) <= agreement.LIMIT


@pytest.mark.parametrize("seed", range(5))
def test_no_probability_moves_by_more_than_is_told(seed: int) -> None:
    rng = np.random.default_rng(seed)
    right, moved = (rng.normal(0, scale, (32, 3)).astype(np.float32) for scale in (3, 0.3))
    runtime = Wrong(right + moved, 0.0)
    answer = agreement.measure_difference(runtime, "gray-96", right, 1.3)
    assert np.abs(probabilities(right + moved, 1.3) - probabilities(right, 1.3)).max() <= answer


@pytest.mark.parametrize("modality", Modality)
def test_shipped_members_answer_the_drawn_chests_in_many_ways(modality: Modality) -> None:
    for place in shipped()[modality].places:
        logits = REFERENCE.make(place).run(agreement.draw_pictures(place.member.preprocess))
        assert np.ptp(logits - logits[:, :1], axis=0).max() > 1
