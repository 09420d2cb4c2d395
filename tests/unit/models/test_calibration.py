"""Softmax with temperature."""

import numpy as np
import pytest

from models.calibration import probabilities


def test_large_logits_do_not_overflow() -> None:
    found = probabilities(np.array([[1e4, 0.0, -1e4]], np.float32), 0.5)
    np.testing.assert_allclose(found, [[1, 0, 0]])
    assert found.dtype == np.float64


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_odds_are_taken_to_the_inverse_temperature(temperature: float) -> None:
    found = probabilities(np.log([[8.0, 1.0]]), temperature)
    assert found[0, 0] / found[0, 1] == pytest.approx(8 ** (1 / temperature))
