"""What can be answered without the lungs."""

from pathlib import Path

import numpy as np

from lungline.findings import Modality
from training.data import datasets
from training.data.datasets import Example
from training.evaluation import baselines

TRAIN = [Example(Path("x"), label, "g", source, "train") for label, source in (("a", "one"), ("a", "one"), ("b", "one"), ("b", "two"))]
WANTED = np.array([0, 0, 1, 1])


def test_majority_always_says_the_commonest() -> None:
    np.testing.assert_array_equal(baselines.majority(np.array([1, 1, 0]), 2, 3), [[0, 1, 0], [0, 1, 0]])


def test_source_rule_says_what_the_source_said_in_training() -> None:
    test = [Example(Path("x"), "a", "g", source, "test") for source in ("one", "two", "unseen")]
    np.testing.assert_allclose(baselines.source_rule(TRAIN, WANTED, test, 2), np.array([[2 / 3, 1 / 3], [0, 1], [0.5, 0.5]]))


def test_regressions_give_probabilities(tiny_data: Path) -> None:
    data = datasets.load(tiny_data, Modality.XRAY)
    train, test = data.split("train"), data.split("test")
    labels = sorted({example.label for example in train})
    wanted = np.array([labels.index(example.label) for example in train])
    votes = baselines.blind(train, wanted, test)
    assert votes.shape == (12, 3)
    np.testing.assert_allclose(votes.sum(axis=1), 1)
    pictures = [datasets.read_pictures(examples, "gray-96") for examples in (train, test)]
    seen = baselines.thumbnails(pictures[0], wanted, pictures[1])
    assert (seen.argmax(axis=1) == [labels.index(example.label) for example in test]).mean() > 0.9  # the disc's place gives it away
