"""What counts how much in a training."""

import dataclasses

import numpy as np
import pytest

from lungline.errors import TrainingError
from training import recipes
from training.data.examples import Labelled, example_weights

CT = dataclasses.replace(recipes.load("ct-cnn"), source_groups=2)

#           source of both findings   of one   of both, but one patient a finding
SOURCES = ["both"] * 8 + ["lone"] * 4 + ["few"] * 4
OUTPUTS = [0, 0, 1, 1, 1, 1, 1, 1] + [1] * 4 + [0, 0, 1, 1]
LABELS = ["covid19", "covid19", *["non_covid"] * 6, *["normal"] * 4, "covid19", "covid19", "cap", "cap"]
GROUPS = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "m", "n", "n"]
TRAIN = Labelled(np.zeros((16, 1, 1, 1), np.float32), np.array(LABELS), np.array(OUTPUTS), np.array(SOURCES), np.array(GROUPS))


def test_sources_weigh_by_size_and_equally_across_outputs() -> None:
    weights = example_weights(CT, TRAIN)
    assert not weights[8:].any()  # of one finding, or of one patient each
    np.testing.assert_allclose(weights[:8], [2, 2, *[2 / 3] * 6])
    weights = example_weights(dataclasses.replace(CT, source_groups=1), TRAIN)
    assert not weights[8:12].any()
    assert weights[:8].sum() == pytest.approx(2 * weights[12:].sum())


def test_labels_weigh_their_shares_however_many_they_are() -> None:
    shares = {"covid19": 1.0, "non_covid": 1.0, "normal": 0.5, "cap": 0.0}
    weights = example_weights(dataclasses.replace(CT, shares=shares), TRAIN)
    by_label = {label: weights[TRAIN.labels == label].sum() for label in shares}
    assert by_label["covid19"] == pytest.approx(by_label["non_covid"])
    assert by_label["normal"] == pytest.approx(by_label["non_covid"] / 2)
    assert by_label["cap"] == 0
    assert weights[weights > 0].mean() == pytest.approx(1)


def test_nothing_to_learn_from_is_told() -> None:
    with pytest.raises(TrainingError, match="no source"):
        example_weights(dataclasses.replace(CT, source_groups=99), TRAIN)


def test_even_means_that_all_count_alike_but_what_is_left_out() -> None:
    weights = example_weights(dataclasses.replace(CT, even=True, leaves_out=("normal",)), TRAIN)
    np.testing.assert_array_equal(weights, (TRAIN.labels != "normal").astype(np.float32))
