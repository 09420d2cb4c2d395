"""A whole small training: recipe and pictures in; a folder out that loads, and answers as the network that was trained."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lungline.errors import TrainingError
from lungline.findings import Modality
from models.backend import keras
from models.calibration import probabilities
from models.engines.keras import KerasEngine
from models.files import WEIGHTS, read_ensemble
from models.registry import load_admission, load_ensemble
from training import datasets, recipes
from training.fit import Fitted, Labelled, fit
from training.make import Made, Start, compose, make
from training.recipes import Recipe


def small(modality: Modality | None, outputs: tuple[str, ...], name: str) -> Recipe:
    """A recipe that takes seconds."""
    admission = recipes.load("admission-cnn")
    shares = dict.fromkeys((*outputs, "cap"), 1.0)
    return dataclasses.replace(admission, name=name, modality=modality, outputs=outputs, shares=shares, batch=6)


XRAY = small(Modality.XRAY, ("covid19", "pneumonia", "normal"), "xray-small")
CT = small(Modality.CT, ("covid19", "non_covid"), "ct-small")
ADMISSION = small(None, ("xray", "ct", "neither"), "admission-small")


def start(data: Path) -> Start:
    return Start(data, seed=5, weights="none", weights_dir=None, epochs=1)


@dataclasses.dataclass
class Trained:
    """What one training of all three left behind, and what its parts were given on the way."""

    out: Path
    made: list[Made]
    networks: list[keras.Model]  # as trained, before half precision
    pictures: list[set[bytes]]  # that `fit` was given


@pytest.fixture(scope="module")
def trained(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    found = Trained(tmp_path_factory.mktemp("models"), [], [], [])

    def watched_fit(recipe: Recipe, train: Labelled, val: Labelled, **rest: Any) -> Fitted:
        found.pictures.append({picture.tobytes() for picture in (*train.pictures, *val.pictures)})
        fitted = fit(recipe, train, val, **rest)
        found.networks.append(fitted.network)
        return fitted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.make.fit", watched_fit)
        found.made += [make(recipe, start(tiny_data), found.out) for recipe in (XRAY, CT, ADMISSION)]
    compose(found.made, found.out)
    return found


def test_what_was_made_loads_and_judges_as_when_it_was_made(trained: Trained, tiny_data: Path) -> None:
    ensemble = load_ensemble(read_ensemble(trained.out, "xray"))
    pictures = datasets.read_pictures(datasets.load(tiny_data, Modality.XRAY).split("val"), "gray-96")
    judgements = ensemble.judge({"gray-96": pictures})
    votes = np.array([list(judgement.probabilities.values()) for judgement in judgements])
    np.testing.assert_allclose(votes, trained.made[0].votes, atol=1e-5)
    admission = load_admission(read_ensemble(trained.out, "admission"))
    assert set(admission.judge(pictures)[0]) == {"xray", "ct", "neither"}


def test_the_same_seed_gives_the_same_bytes(trained: Trained, tiny_data: Path, tmp_path: Path) -> None:
    make(ADMISSION, start(tiny_data), tmp_path)
    for file in (WEIGHTS, "member.json", "card.md"):
        assert (tmp_path / ADMISSION.name / file).read_bytes() == (trained.out / ADMISSION.name / file).read_bytes()


def test_half_precision_answers_as_full(trained: Trained, tiny_data: Path) -> None:
    pictures = datasets.read_pictures(datasets.load(tiny_data, Modality.XRAY).split("val"), "gray-96")
    full = probabilities(KerasEngine(trained.networks[0]).run(pictures), trained.made[0].temperature)
    np.testing.assert_allclose(trained.made[0].votes, full, atol=5e-3)


def test_fitting_never_sees_the_test_split(trained: Trained, tiny_data: Path) -> None:
    for recipe, known in zip((XRAY, CT, ADMISSION), trained.pictures, strict=True):
        test = datasets.read_pictures(datasets.load(tiny_data, recipe.modality).split("test"), "gray-96")
        assert known
        assert not any(picture.tobytes() in known for picture in test)


def test_member_json_and_card_tell_what_was_done(trained: Trained) -> None:
    told = json.loads((trained.out / CT.name / "member.json").read_text())
    assert told["seed"] == 5
    assert told["epochs"] == 1
    assert told["base"] == "none"
    assert told["figures"]["images"] == 8  # cap trains, and is not judged
    assert set(told["baselines"]) == {"majority class", "source rule", "blind", "thumbnails"}
    low, high = (told["figures"]["balanced_accuracy"][bound] for bound in ("low", "high"))
    assert 0 <= low <= high <= 1
    text = (trained.out / CT.name / "card.md").read_text()
    assert "Not a medical device" in text
    assert "within source 0" not in text  # two pictures of a side tell nothing


def test_unknown_label_is_told(tiny_data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="label that recipe"):
        make(dataclasses.replace(XRAY, outputs=("covid19", "normal")), start(tiny_data), tmp_path)
