"""Every recipe trains a few steps, is saved, listed, loaded, and judges in an ensemble what it judged when it was trained."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from cli.models import app as models_app
from cli.train import train
from lungline.findings import FINDINGS
from models.registry import find, list_descriptions, load_admission, load_ensemble
from tests.unit.training.drawn import cloudy, save, write
from training import recipes
from training.predictions.predict import Predictions

app = typer.Typer()
app.command("train")(train)
app.add_typer(models_app, name="models")

SMALL = ("xray-cnn6",)  # the rest take minutes; this one has none of the others' bases
LABELS = {"xray": ("covid19", "pneumonia", "normal"), "ct": ("covid19", "non_covid", "normal", "cap")}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clouds of every label, of two clinics, and strangers."""
    root = tmp_path_factory.mktemp("scans")
    rows, negatives, seed = [], [], 0
    for split in ("train", "val", "test"):
        for modality, labels in LABELS.items():
            for label in labels:
                for number in range(4):
                    seed += 1
                    path = save(root / f"{seed}.jpg", cloudy(seed))
                    row = {"path": path.name, "modality": modality, "label": label, "group": str(seed)}
                    rows.append(row | {"source": f"clinic {number % 2}", "split": split})
        for number in range(4):
            picture = np.random.default_rng(number).integers(0, 255, (64, 64), np.uint8)
            (root / "neither").mkdir(exist_ok=True)
            (root / "neither" / f"{split}-{number}.png").write_bytes(bytes(cv2.imencode(".png", picture + len(split))[1]))
            negatives.append({"path": f"{split}-{number}.png", "group": f"{split} {number}", "source": "made", "split": split})
    write(root / "manifest.csv", rows)
    with (root / "neither" / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, negatives[0])
        writer.writeheader()
        writer.writerows(negatives)
    return root


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in SMALL else pytest.mark.slow) for name in recipes.names()])
def test_trained_saved_listed_loaded_and_asked(name: str, scans: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(scans))
    monkeypatch.setattr("training.metrics.figures.RESAMPLES", 50)
    done = run("train", name, "--weights", "none", "--epochs", "1", "--limit", "12")
    assert done.exit_code == 0, done.exception
    store = home / "store" / "models"
    listed = [json.loads(line) for line in run("models", "list", "--json").stdout.splitlines()]
    (row,) = [value for value in listed if value["kind"] == "member" and value["name"] == name and value["state"] == "challenger"]
    shown, planned = (json.loads(run("models", "show", what, "--json").stdout) for what in (row["version"], name))
    for number in ("parameters", "trainable", "non_trainable"):
        assert shown[number] == planned[number]
    recipe = recipes.load(name)
    predictions = Predictions(scans)
    joined = [described for described in list_descriptions(store) if described.kind == "ensemble" and row["version"] in described.members]
    if recipe.votes:  # a student joins none
        assert not joined
        return
    (ensemble,) = joined
    files = find(ensemble.version, store)
    pictures = predictions.pictures(recipe.preprocess, recipe.modality, "val")
    if recipe.modality is None:
        assert len(load_admission(files).judge(pictures)) == len(pictures)
        return
    predicted = load_ensemble(files).judge({recipe.preprocess: pictures})
    rows = [
        number
        for number, example in enumerate(predictions.data(recipe.modality).split("val"))
        if example.label in FINDINGS[recipe.modality]
    ]
    votes = np.array([list(predicted[number].probabilities.values()) for number in rows])
    np.testing.assert_allclose(votes, predictions.judge(files, "val").votes, atol=1e-4)
