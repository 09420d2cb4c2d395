"""Leaving one source out: nothing of it is learnt from, and nothing else is asked about."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lungline.findings import FINDINGS, Modality
from tests.unit.training import drawn
from training import recipes
from training.data.examples import Labelled
from training.evaluation.leave_one_out import leave_each_source_out
from training.fitting.loop import Fitted, fit
from training.fitting.training_sets import labelled
from training.predictions.measure import SplitPredictions
from training.predictions.predict import Predictions
from training.recipes import Recipe

RECIPE = dataclasses.replace(recipes.load("xray-cnn"), architecture="small_cnn", preprocess="gray-96", batch=12, epochs=1)


@pytest.fixture
def splits(tmp_path: Path) -> tuple[Labelled, Labelled, Labelled]:
    drawn.sound(tmp_path)
    predictions = Predictions(tmp_path)
    data = predictions.data(Modality.XRAY)
    train, val, test = (labelled(RECIPE, data, split, predictions) for split in ("train", "val", "test"))
    return train, val, test


def predictions_of(test: Labelled) -> SplitPredictions:
    """The split as somebody judged it who knows nothing."""
    examples = [drawn_example(label, source, group) for label, source, group in zip(test.labels, test.sources, test.groups, strict=True)]
    count = len(examples)
    votes = np.full((count, 3), 1 / 3)
    return SplitPredictions(
        "test", examples, FINDINGS[Modality.XRAY], test.outputs, votes, votes, np.ones(count, np.bool_), np.zeros(count)
    )


def drawn_example(label: str, source: str, group: str) -> Any:
    from training.data.datasets import Example

    return Example(Path("nowhere"), label, group, source, "test")


def test_left_out_source_is_predicted_and_not_learnt_from(
    splits: tuple[Labelled, Labelled, Labelled], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Labelled] = []

    def watched(recipe: Recipe, train: Labelled, val: Labelled, **rest: Any) -> Fitted:
        seen.extend((train, val))
        return fit(recipe, train, val, **rest)

    monkeypatch.setattr("training.evaluation.leave_one_out.fit", watched)
    monkeypatch.setattr("training.metrics.figures.RESAMPLES", 20)
    found = leave_each_source_out(RECIPE, splits, predictions_of(splits[2]), None, seed=0).within_source or {}
    assert set(found) == {"clinic 0"}  # of clinic 1 there are too few to be asked about
    assert found["clinic 0"].images == 12
    assert 0 <= found["clinic 0"]["macro_auroc"].value <= 1
    assert len(seen) == 2
    for given, whole in zip(seen, splits, strict=False):
        assert set(given.sources) == {"clinic 1"}
        assert 0 < len(given.pictures) < len(whole.pictures)


def test_a_source_without_which_a_finding_is_gone_stays(splits: tuple[Labelled, Labelled, Labelled]) -> None:
    train, val, test = splits
    alone = np.flatnonzero((train.sources == "clinic 0") | (train.labels != "normal"))
    without = Labelled(*(getattr(train, name)[alone] for name in ("pictures", "labels", "outputs", "sources", "groups")))
    assert leave_each_source_out(RECIPE, (without, val, test), predictions_of(test), None, seed=0).within_source == {}
