"""`lungline train` and `lungline evaluate`."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import typer
from sqlalchemy import text
from typer.testing import CliRunner

from cli.evaluate import evaluate
from cli.train import train
from db.migrate import open_database
from lungline.errors import TrainingError
from lungline.settings import load
from models.files import read_ensemble
from training.recipes import Recipe
from training.recipes import load as book_load

app = typer.Typer()
app.command()(train)
app.command()(evaluate)


def quick(name: str) -> Recipe:
    """A recipe of the book with a network that takes a second."""
    return dataclasses.replace(book_load(name), architecture="small_cnn", preprocess="gray-96", tuned_from=None, frozen_norms=False)


@pytest.fixture(scope="module")
def out(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models, made by the command."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUNGLINE_TRAINING_DATA", str(tiny_data))
        patch.setattr("training.recipes.load", quick)
        patch.setattr("training.metrics.figures.RESAMPLES", 50)
        command = ["train", "xray-cnn", "admission-mobilenetv2", "--epochs", "1", "--weights", "none", "--seed", "7", "--out", str(folder)]
        done = CliRunner().invoke(app, [*command, "--no-test"])
    assert done.exit_code == 0, done.exception
    assert read_ensemble(folder, "xray").places[0].member.version in done.stdout
    return folder


def test_makes_members_and_their_ensembles(out: Path) -> None:
    for stem, name in (("xray", "xray-cnn"), ("admission", "admission-mobilenetv2")):
        (place,) = read_ensemble(out, stem).places
        assert place.member.name == name
        assert place.member.record.seed == 7
        assert place.member.record.validation
    assert not list(out.glob(".*"))  # no draft is left


def test_without_a_folder_what_was_made_goes_into_the_store(tiny_data: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(tiny_data))
    monkeypatch.setattr("training.recipes.load", quick)
    monkeypatch.setattr("training.metrics.figures.RESAMPLES", 50)
    monkeypatch.setattr("training.evaluation.controls.SHUFFLES", 1)
    done = CliRunner().invoke(app, ["train", "xray-cnn", "--epochs", "1", "--weights", "none"])
    assert done.exit_code == 0, done.exception
    made = read_ensemble(home / "training", "xray")
    kept = read_ensemble(home / "store" / "models", made.version)
    assert kept.evaluations == made.evaluations
    assert kept.places[0].member.folder == home / "store" / "models" / "xray-cnn" / made.places[0].member.version
    assert made.version in done.stdout
    versions = [made.places[0].member.version, made.version]
    assert json.loads((home / "store" / "models" / "test-uses.json").read_text()) == {"xray": versions}
    (page,) = (home / "reports").glob("*/index.html")
    assert str(page) in done.stdout
    facts = json.loads(page.with_name("report.json").read_text())
    assert [outcome["version"] for outcome in facts["versions"]] == versions
    assert set(facts["versions"][0]["curves"]) == {"val", "test"}
    assert facts["versions"][0]["told"]["figures"] == made.places[0].member.record.as_json()["figures"]


def test_a_store_version_is_judged_again_and_on_other_data(tiny_data: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(tiny_data))
    monkeypatch.setattr("training.recipes.load", quick)
    monkeypatch.setattr("training.metrics.figures.RESAMPLES", 50)
    assert CliRunner().invoke(app, ["train", "ct-cnn", "--epochs", "1", "--weights", "none", "--no-test"]).exit_code == 0
    files = read_ensemble(home / "training", "ct")
    store = home / "store" / "models"
    assert not (store / "test-uses.json").exists()
    before = (store / "ensembles" / f"{files.version}.json").read_bytes()
    other = tmp_copy(tiny_data, home / "other", keep=("test",))
    done = CliRunner().invoke(app, ["evaluate", files.version, "--data", str(other)])
    assert done.exit_code == 0, (done.exception, done.output)
    (counted,) = json.loads((store / "test-uses.json").read_text()).items()
    assert counted[0].startswith("ct of set ")
    assert counted[1] == [files.places[0].member.version, files.version]
    assert (store / "ensembles" / f"{files.version}.json").read_bytes() == before  # figures of other data are not its own
    page = Path(done.stdout.splitlines()[-1])
    assert f"Evaluated on another data set than the one that it was trained on: {counted[0].removeprefix('ct of ')}" in page.read_text()
    facts = json.loads(page.with_name("report.json").read_text())
    assert "beside" not in facts["versions"][-1]["told"]["figures"]  # there is nothing to learn a baseline from
    assert files.places[0].member.record.validation
    for outcome in facts["versions"]:  # figures of its own data are not those of this set
        assert set(outcome["curves"]) == {"test"}
        assert "validation" not in outcome["told"]
    with open_database(load()).connect() as connection:
        data = set(
            connection.execute(text("SELECT data FROM model_quality WHERE version = :version"), {"version": files.version}).scalars()
        )
    assert len(data) == 1
    assert data.pop().startswith("test of set ")


def tmp_copy(data: Path, target: Path, keep: tuple[str, ...]) -> Path:
    """A data set of some splits of another, under a manifest with a name of its own; the manifest."""
    shutil.copytree(data, target)
    with (target / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] in keep]
    (target / "manifest.csv").unlink()
    shutil.rmtree(target / "neither")
    with (target / "other.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return target / "other.csv"


def test_evaluate_writes_cards_and_counts_the_test_split_look(out: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(tiny_data))
    monkeypatch.setattr("training.recipes.load", quick)
    monkeypatch.setattr("training.metrics.figures.RESAMPLES", 50)
    monkeypatch.setattr("training.evaluation.controls.SHUFFLES", 1)
    done = CliRunner().invoke(app, ["evaluate", "--models", str(out)])
    assert done.exit_code == 0, done.exception
    ensemble = read_ensemble(out, "xray")
    member = ensemble.places[0].member
    figures = member.record.figures
    assert figures
    assert figures.images == 12
    assert set(figures.beside or ()) == {"majority_class", "source_rule", "blind", "thumbnails"}
    assert {"black_lungs", "shuffled_labels", "source_in_features", "ece_null", "confusion", "reliability"} <= set(figures.as_json())
    assert figures.confusion
    assert sum(sum(row.values()) for row in figures.confusion.values()) == 12
    assert member.record.test_uses == (member.version,)
    assert json.loads((out / "test-uses.json").read_text())["xray"] == [member.version, ensemble.version]
    for card in (member.folder / "card.md", out / "ensembles" / "xray.md"):
        assert card.read_text() in done.stdout
        assert "test split was used for" in card.read_text()
    assert Path(done.stdout.splitlines()[-1]).is_file()
    kinds = json.loads((out / "admission-mobilenetv2" / "member.json").read_text())["figures"]["within_source"]
    assert set(kinds) == {"made"}
    with open_database(load()).connect() as connection:
        query = text("SELECT version, data, metric, source, value, low, high, images, groups FROM model_quality WHERE metric = :metric")
        rows = {(row.version, row.data): row for row in connection.execute(query, {"metric": "macro_auroc"})}
    assert set(rows) == {(version, data) for version in (member.version, ensemble.version) for data in ("val", "test")}
    row = rows[member.version, "test"]
    assert row.value == figures["macro_auroc"].value
    assert (row.low, row.high, row.images, row.groups) == (figures["macro_auroc"].low, figures["macro_auroc"].high, 12, 6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "admission-cnn"], "LUNGLINE_TRAINING_DATA"),
        (["train", "no-such-recipe"], "xray-mobilenetv2"),
        (["evaluate"], "LUNGLINE_TRAINING_DATA"),
        (["evaluate", "no-such-version"], "no-such-version"),
    ],
)
def test_says_what_is_missing(arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_data: Path) -> None:
    if message != "LUNGLINE_TRAINING_DATA":
        monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(tiny_data))
    done = CliRunner().invoke(app, [*arguments, *(["--out", str(tmp_path)] if arguments[0] == "train" else [])])
    assert isinstance(done.exception, TrainingError)
    assert message in str(done.exception)


def test_data_that_the_audit_finds_unsound_are_not_trained_on(tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torn = tmp_path / "torn"
    shutil.copytree(tiny_data, torn)
    with (torn / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["modality"] == "xray"]
    first = {split: next(torn / row["path"] for row in rows if row["split"] == split) for split in ("train", "val")}
    shutil.copyfile(first["train"], first["val"])  # one picture on two sides
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(torn))
    done = CliRunner().invoke(app, ["train", "xray-cnn", "--epochs", "1", "--weights", "none"])
    assert isinstance(done.exception, TrainingError)
    assert "lungline data check" in str(done.exception)
