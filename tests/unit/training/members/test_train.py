"""A whole small training: recipes and pictures in; a folder out that loads, and answers as the networks that were trained."""

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
from models.files import WEIGHTS, Member, adopt, read_ensemble
from models.registry import load_admission, load_ensemble
from models.runtimes.keras import KerasRuntime
from training import recipes
from training.data import datasets
from training.data.examples import Labelled
from training.fitting.loop import Fitted, fit
from training.members.train import Start, make, train
from training.predictions.predict import Predictions
from training.recipes import Recipe


def small(modality: Modality | None, outputs: tuple[str, ...], name: str) -> Recipe:
    """A recipe that takes seconds."""
    admission = recipes.load("admission-mobilenetv2")
    shares = dict.fromkeys((*outputs, "cap"), 1.0)
    quick = dataclasses.replace(
        admission, architecture="small_cnn", preprocess="gray-96", batch=6, epochs=1, tuned_from=None, frozen_norms=False
    )
    return dataclasses.replace(quick, name=name, modality=modality, outputs=outputs, shares=shares)


XRAY = small(Modality.XRAY, ("covid19", "pneumonia", "normal"), "xray-small")
OTHER = dataclasses.replace(XRAY, name="xray-other", preprocess="gray-128", architecture="compact_cnn")
CT = small(Modality.CT, ("covid19", "non_covid"), "ct-small")
ADMISSION = small(None, ("xray", "ct", "neither"), "admission-small")
BOOK = {recipe.name: recipe for recipe in (XRAY, OTHER, CT, ADMISSION)}


def start(data: Path) -> Start:
    return Start(data, seed=5, weights="none", weights_dir=None, epochs=None)


@dataclasses.dataclass
class Trained:
    """What one training of all four left behind, and what its parts were given on the way."""

    out: Path
    made: list[Member]
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
        patch.setattr("training.members.train.fit", watched_fit)
        patch.setattr("training.recipes.load", BOOK.__getitem__)
        patch.setattr("training.metrics.figures.RESAMPLES", 50)
        found.made += train(list(BOOK), start(tiny_data), found.out)
    return found


def test_what_was_made_loads_and_judges_as_when_it_was_made(trained: Trained, tiny_data: Path) -> None:
    predictions = Predictions(tiny_data)
    files = read_ensemble(trained.out, "xray")
    assert {place.member.name for place in files.places} == {XRAY.name, OTHER.name}
    inputs = {name: predictions.pictures(name, Modality.XRAY, "val") for name in ("gray-96", "gray-128")}
    judgements = load_ensemble(files).judge(inputs)
    votes = np.array([list(judgement.probabilities.values()) for judgement in judgements])
    np.testing.assert_allclose(votes, predictions.judge(files, "val").votes, atol=1e-5)
    admission = load_admission(read_ensemble(trained.out, "admission"))
    assert set(admission.judge(predictions.pictures("gray-96", None, "val"))[0]) == {"xray", "ct", "neither"}


def test_the_same_seed_gives_the_same_bytes(trained: Trained, tiny_data: Path, tmp_path: Path) -> None:
    repeated = make(ADMISSION, start(tiny_data), tmp_path, Predictions(tiny_data))
    assert (repeated.folder / WEIGHTS).read_bytes() == (trained.out / ADMISSION.name / WEIGHTS).read_bytes()


def test_half_precision_answers_as_full(trained: Trained, tiny_data: Path) -> None:
    predictions = Predictions(tiny_data)
    full = KerasRuntime(trained.networks[0]).run(predictions.pictures("gray-96", Modality.XRAY, "val"))
    half = predictions.logits(trained.made[0], "val")
    np.testing.assert_allclose(probabilities(half, 1.0), probabilities(full, 1.0), atol=5e-3)


def test_fitting_never_sees_the_test_split(trained: Trained, tiny_data: Path) -> None:
    for recipe, known in zip(BOOK.values(), trained.pictures, strict=True):
        test = datasets.read_pictures(datasets.load(tiny_data, recipe.modality).split("test"), recipe.preprocess)
        assert known
        assert not any(picture.tobytes() in known for picture in test)


def test_admission_learns_from_made_strangers_too(trained: Trained, tiny_data: Path) -> None:
    predictions = Predictions(tiny_data)
    of_data = len(predictions.data(None).split("train")) + len(predictions.data(None).split("val"))
    assert len(trained.pictures[-1]) > of_data + 4


def test_member_json_and_card_say_nothing_of_the_test_split(trained: Trained) -> None:
    facts = json.loads((trained.out / CT.name / "member.json").read_text())
    assert facts["seed"] == 5
    assert facts["epochs"] == 1
    assert facts["base"] == "none"
    assert facts["validation"]["images"] == 8  # cap trains, and is not judged
    assert "figures" not in facts
    low, high = (facts["validation"]["balanced_accuracy"][bound] for bound in ("low", "high"))
    assert 0 <= low <= high <= 1
    text = (trained.out / CT.name / "card.md").read_text()
    assert "Not a medical device" in text
    assert "Not evaluated on test" in text
    assert "within source 0" not in text  # two pictures of a side tell nothing
    assert "xray-other" in (trained.out / "ensembles" / "xray.md").read_text()
    assert not list(trained.out.glob(".*"))  # no draft and no checkpoint is left


def test_what_was_made_can_be_taken_into_a_store(trained: Trained, tmp_path: Path) -> None:
    adopted = adopt(trained.out, tmp_path)
    assert {files.name for files in adopted} == {"xray", "ct", "admission"}
    assert adopted[0].places[0].member.folder.is_relative_to(tmp_path)


def test_unknown_label_is_told(tiny_data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="label that recipe"):
        make(dataclasses.replace(XRAY, outputs=("covid19", "normal")), start(tiny_data), tmp_path, Predictions(tiny_data))
