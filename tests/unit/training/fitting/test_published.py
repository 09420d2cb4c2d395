"""Systems as they were published: their own head and split, out of the rows that may be trained on, told what is wrong with it."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from sklearn.metrics import precision_recall_fscore_support
from typer.testing import CliRunner, Result

from cli.models import app as models_app
from cli.train import train
from lungline.errors import TrainingError
from models.files import read_ensemble, read_member
from models.runtimes.keras import KerasRuntime, load_network
from training import recipes
from training.data import datasets
from training.fitting import published
from training.predictions.predict import Predictions
from training.recipes import Recipe

app = typer.Typer()
app.command("train")(train)
app.add_typer(models_app, name="models")

BOOK = recipes.load


def quick(name: str) -> Recipe:
    """A recipe of the book with a network that takes a second."""
    return dataclasses.replace(BOOK(name), architecture="small_cnn", preprocess="gray-96", views=0)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


# But for ct-resnet50-cap: the tiny data have no normal slice.
@pytest.mark.parametrize("name", [name for name in recipes.names() if recipes.load(name).published and name != "ct-resnet50-cap"])
def test_its_own_split_is_of_pictures_that_may_be_trained_on(name: str, tiny_data: Path) -> None:
    predictions = Predictions(tiny_data)
    recipe = quick(name)
    own, learnt, held = published.split_as_published(recipe, predictions, seed=1)
    assert own.name == f"{name}-as-published"
    assert own.patience is None
    assert recipe.published
    assert set(learnt.labels) == set(held.labels) == set(own.outputs) == set(recipe.published.outputs)
    known = {picture.tobytes() for split in ("train", "val") for picture in predictions.pictures("gray-96", recipe.modality, split)}
    drawn = [picture.tobytes() for picture in (*learnt.pictures, *held.pictures)]
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= known
    assert len(held.labels) == pytest.approx(recipe.published.held_out * len(drawn), abs=len(own.outputs))
    repeated, other = (published.split_as_published(recipe, predictions, seed)[2].pictures for seed in (1, 2))
    np.testing.assert_array_equal(repeated, held.pictures)
    if recipe.published.seed is None:
        assert not np.array_equal(other, held.pictures)
    else:
        np.testing.assert_array_equal(other, held.pictures)


@pytest.fixture
def trained(tiny_data: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which two systems were trained, one as it was published and as ours, the other as published alone."""
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(tiny_data))
    monkeypatch.setattr("training.recipes.load", quick)
    monkeypatch.setattr("training.metrics.figures.RESAMPLES", 50)
    for arguments in (["xray-cnn6", "--as-published"], ["xray-cnn6"], ["ct-vgg16", "--as-published"]):
        done = run("train", *arguments, "--epochs", "2", "--weights", "none", "--no-test")
        assert done.exit_code == 0, done.exception
    return home


def test_it_lands_in_the_store_alone_and_says_what_it_is_worth(trained: Path, tiny_data: Path) -> None:
    listed = [json.loads(line) for line in run("models", "list", "--json").stdout.splitlines()]
    (row,) = [element for element in listed if element["name"] == "xray-cnn6-as-published"]
    assert (row["kind"], row["state"], row["modality"]) == ("member", "challenger", "xray")
    assert [element["name"] for element in listed if element["state"] == "challenger" and element["kind"] == "member"].count(
        "xray-cnn6"
    ) == 1
    (ours,) = read_ensemble(trained / "training", "xray").places  # it may not join
    assert ours.member.name == "xray-cnn6"
    assert not (trained / "training" / "ensembles" / "ct.json").exists()

    printed = json.loads(run("models", "show", row["version"], "--json").stdout)
    own = printed["as_published"]
    assert printed["outputs"] == ["covid19", "normal"]
    assert printed["recipe"] == "xray-cnn6"
    assert printed["epochs"] == printed["best_epoch"] == 2
    assert own["published"]["value"] == 0.95
    assert own["figure"]["metric"] == "accuracy"
    assert own["figure"]["value"] == own["figures"]["accuracy"]["value"]
    assert all(sentence.endswith(".") for sentence in own["wrong"])
    assert len(own["wrong"]) > 3
    assert "no early stopping" in own["protocol"]

    # The figure is that of the network that was saved.
    member = read_member(trained / "training" / "xray-cnn6-as-published")
    _, learnt, held = published.split_as_published(quick("xray-cnn6"), Predictions(tiny_data), seed=0)
    said = KerasRuntime(load_network(member)).run(held.pictures).argmax(axis=1)
    assert member.record.as_published
    assert member.record.as_published.figure.value == pytest.approx((said == held.outputs).mean(), abs=1e-4)
    precision, recall, f1, support = precision_recall_fscore_support(held.outputs, said, labels=[0, 1], zero_division=np.nan)
    for output, name in enumerate(("covid19", "normal")):
        for called, value in (("precision", precision), ("sensitivity", recall), ("f1", f1)):
            reported_value = own["figures"].get(f"{name}_{called}", {"value": np.nan})["value"]
            assert reported_value == pytest.approx(value[output], abs=1e-4, nan_ok=True)
        assert sum(own["figures"]["confusion"][name].values()) == support[output]
    assert own["figures"]["confusion"]["covid19"]["normal"] == ((held.outputs == 0) & (said == 1)).sum()
    torn = int(np.isin(held.groups, learnt.groups).sum())
    assert f"Here {torn} of the {len(held.groups)} held-out" in member.record.as_published.wrong[-1]
    assert torn > 0  # pictures of one group on both sides: what the split does


def test_a_recipe_of_ours_answers_to_no_published_system(tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(tiny_data))
    done = run("train", "xray-cnn", "--as-published", "--weights", "none")
    assert isinstance(done.exception, TrainingError)
    assert "belongs to no published system" in str(done.exception)


def test_a_trial_sees_few_pictures_and_stands_by_itself(tiny_data: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(tiny_data))
    monkeypatch.setattr("training.metrics.figures.RESAMPLES", 50)
    done = run("train", "xray-cnn6", "xray-cnn", "--weights", "none", "--epochs", "1", "--limit", "9")
    assert done.exit_code == 0, done.exception
    listed = [json.loads(line) for line in run("models", "list", "--json").stdout.splitlines()]
    challengers = {row["name"] for row in listed if row["kind"] == "member" and row["state"] == "challenger"}
    assert challengers == {"xray-cnn6", "xray-cnn", "xray-student", "ct-student"}
    for name in ("xray-cnn6", "xray-cnn"):
        (place,) = read_ensemble(home / "trials" / name, "xray").places
        assert place.member.record.limit == 9
        assert place.member.record.validation
        assert place.member.record.validation.images == 9
    assert not (home / "training").exists()
    promoted = run("models", "promote", read_ensemble(home / "trials" / "xray-cnn", "xray").version, "--by", "me", "--why", "to see")
    assert promoted.exit_code == 0, promoted.exception
    assert "comes from a trial run on at most 9 pictures" in promoted.stderr


def test_a_limit_takes_labels_and_sources_in_turn(tiny_data: Path) -> None:
    data = datasets.load(tiny_data, None)
    few = datasets.limit_examples(data, 9)
    for split in ("train", "val", "test"):
        labels, counts = np.unique([example.label for example in few.split(split)], return_counts=True)
        assert (list(labels), list(counts)) == (["ct", "neither", "xray"], [3, 3, 3])
        assert len({example.origin for example in few.split(split) if example.label == "ct"}) == 2
    assert few == datasets.limit_examples(data, 9)
    assert datasets.limit_examples(data, 10_000) == data
