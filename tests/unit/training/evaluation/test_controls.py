"""Negative controls."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from lungline.findings import Modality
from training import recipes
from training.data.examples import Labelled
from training.evaluation.controls import black_out_lungs, measure_source_in_features, shuffled_votes
from training.fitting.loop import Fitted, fit
from training.recipes import Recipe

RNG = np.random.default_rng(0)


def test_lungs_are_black_and_the_border_stays() -> None:
    film = RNG.uniform(0.2, 1, (200, 180)).astype(np.float32)
    before = film.copy()
    dark = black_out_lungs(Modality.XRAY, film)
    np.testing.assert_array_equal(film, before)
    assert not dark[40:160, 40:140].any()
    np.testing.assert_array_equal(dark[:20], film[:20])
    np.testing.assert_array_equal(dark[:, -10:], film[:, -10:])


def test_features_that_know_the_source_are_found_out() -> None:
    sources = np.repeat(["one", "two", "few"], [40, 40, 2])
    blind = RNG.normal(size=(82, 6)).astype(np.float32)
    telling = blind.copy()
    telling[:40, 0] += 6
    assert measure_source_in_features(telling, sources, telling, sources) > 0.95
    other = RNG.normal(size=(82, 6)).astype(np.float32)
    assert 0.3 < measure_source_in_features(blind, sources, other, sources) < 0.7
    assert np.isnan(measure_source_in_features(blind, np.full(82, "one"), other, sources))


def test_training_and_epoch_choice_see_only_shuffled_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = dataclasses.replace(recipes.load("ct-cnn"), architecture="small_cnn", preprocess="gray-96", epochs=1)
    outputs = np.arange(70) % 2
    outputs[50:] = 1
    labels = np.array(recipe.outputs)[outputs]
    labels[50:60] = "cap"
    sources = np.repeat(["one", "of one output"], [60, 10])
    given = Labelled(RNG.random((70, 96, 96, 1), np.float32), labels, outputs, sources, np.arange(70).astype(str))
    seen: list[Labelled] = []

    def watched_fit(recipe: Recipe, train: Labelled, val: Labelled, **rest: Any) -> Fitted:
        seen.extend((train, val))
        return fit(recipe, train, val, **rest)

    monkeypatch.setattr("training.evaluation.controls.fit", watched_fit)
    votes = shuffled_votes(recipe, given, given, given, None, seed=0)
    assert votes.shape == (70, 2)
    train, val = seen
    np.testing.assert_array_equal(train.pictures, given.pictures[:60])  # what the recipe learns from, and no more
    np.testing.assert_array_equal(val.pictures, given.pictures)
    for wrong in seen:
        assert wrong.outputs.sum() == outputs[: len(wrong.outputs)].sum()
        assert 10 < np.sum(wrong.outputs[:50] == outputs[:50]) < 40
    assert not train.outputs[50:].all()  # whole: what a source or label had alone would still tell
    assert val.outputs[50:60].all()
