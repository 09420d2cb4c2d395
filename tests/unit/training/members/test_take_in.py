"""`lungline models import`: a network trained elsewhere becomes a challenger, judged as our own."""

import json
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from cli.models import app
from db.migrate import open_database
from lungline.errors import ModelError, TrainingError
from lungline.layout import Store
from lungline.settings import load
from models.calibration import probabilities
from models.files import Member
from models.registry import REFERENCE, find, find_member, load_ensemble
from models.runtimes import agreement
from tests.unit.models.keras_made import answers, cnn6


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """two.h5, three.keras and one.h5 of a single sigmoid, by system 4's article."""
    folder = tmp_path_factory.mktemp("theirs")
    cnn6(2).save(folder / "two.h5")
    cnn6(3).save(folder / "three.keras")
    cnn6(1, "sigmoid").save(folder / "one.h5")
    return folder


def run(file: Path, *options: str, recipe: str = "xray-cnn6") -> Result:
    return CliRunner().invoke(app, ["import", str(file), "--recipe", recipe, *options])


def rows(query: str) -> list[dict[str, object]]:
    engine = open_database(load())
    with engine.connect() as connection:
        found = [dict(row) for row in connection.execute(text(query)).mappings()]
    engine.dispose()
    return found


def member(done: Result) -> Member:
    assert done.exit_code == 0, done.exception
    return find_member(next(line for line in done.stdout.splitlines() if line.startswith("xray-cnn6-")), Store(load().store).models)


def test_enters_unjudged_without_scans_and_reviews_all(files: Path) -> None:
    done = run(files / "three.keras", "--outputs", "covid19,normal,pneumonia")
    made = member(done)
    assert made.outputs == ("covid19", "pneumonia", "normal")  # in our order, its weights with it
    assert "without figures" in done.stderr
    ensembles = rows("SELECT version FROM model_versions WHERE state = 'challenger' AND kind = 'ensemble'")
    (version,) = (str(row["version"]) for row in ensembles)
    files_of = find(version, Store(load().store).models)
    assert [place.member.version for place in files_of.places] == [made.version]
    chests = agreement.draw_pictures("plain-300")[:3]
    predicted = load_ensemble(files_of).judge({"plain-300": chests})
    assert {value.status.value for value in predicted} == {"review"}
    expected = answers(cnn6(3), chests)[:, [0, 2, 1]]
    np.testing.assert_allclose([list(value.probabilities.values()) for value in predicted], expected, atol=1e-5)


def test_with_scans_it_is_calibrated_judged_and_counted(files: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(tiny_data))
    made = member(run(files / "three.keras", "--outputs", "covid19,normal,pneumonia"))
    assert made.record.temperature != 1.0
    card = (made.folder / "card.md").read_text()
    assert "Trained elsewhere" in card
    assert made.version in json.loads((Store(load().store).models / "test-uses.json").read_text())["xray"]
    measured = {(row["version"] == made.version, row["data"]) for row in rows("SELECT * FROM model_quality WHERE metric = 'macro_auroc'")}
    assert {(True, "val"), (True, "test"), (False, "test")} <= measured


def test_of_two_findings_it_stands_alone(files: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(tiny_data))
    done = run(files / "two.h5", "--outputs", "normal,covid19")
    made = member(done)
    assert made.outputs == ("covid19", "normal")
    assert "joins no ensemble" in done.stdout
    assert not list((Store(load().store).models / "ensembles").glob("xray-1-*"))
    assert made.evaluations["test"].images == 8  # pneumonia is no finding of its own
    chests = agreement.draw_pictures("plain-300")[:2]
    network = REFERENCE.make(_place(made))
    np.testing.assert_allclose(probabilities(network.run(chests), 1.0), answers(cnn6(2), chests)[:, ::-1], atol=1e-5)


def test_a_single_sigmoid_becomes_two_outputs(files: Path) -> None:
    chests = agreement.draw_pictures("plain-300")[:3]
    said = answers(cnn6(1, "sigmoid"), chests)[:, 0]
    assert np.ptp(said) > 0.01
    for order, expected in (("normal,covid19", 1 - said), ("covid19,normal", said)):
        made = member(run(files / "one.h5", "--outputs", order))
        assert made.outputs == ("covid19", "normal")
        votes = probabilities(REFERENCE.make(_place(made)).run(chests), 1.0)
        np.testing.assert_allclose(votes, np.stack([expected, 1 - expected], axis=1), atol=1e-5)
    for options in ([], ["--outputs", "covid19"]):
        refused = run(files / "one.h5", *options)
        assert isinstance(refused.exception, TrainingError)
        assert "name what 1 stands for, then what 0 does" in str(refused.exception)


def _place(made: Member):  # type: ignore[no-untyped-def]
    from models.files import Place

    return Place(made, 1.0, 1.0)


def test_another_order_of_outputs_is_another_version(files: Path) -> None:
    first, second, repeated = (
        member(run(files / "two.h5", "--outputs", order)) for order in ("normal,covid19", "covid19,normal", "covid19, normal")
    )
    assert first.version != second.version
    assert repeated.version == second.version


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--outputs covid19,normal"),
        (["--outputs", "covid19"], "has 2 outputs, and --outputs names 1"),
        (["--outputs", "covid19,measles"], "`measles` is not a finding of xray"),
        (["--outputs", "pneumonia,normal"], "needs covid19"),
        (["--outputs", "covid19,covid19"], "each name once"),
    ],
)
def test_what_outputs_stand_for_must_be_said(files: Path, options: list[str], said: str) -> None:
    done = run(files / "two.h5", *options)
    assert isinstance(done.exception, TrainingError)
    assert said in str(done.exception)
    assert not Store(load().store).models.exists()


def test_a_wrong_recipe_or_file_enters_nothing(files: Path, tmp_path: Path) -> None:
    assert isinstance(run(files / "two.h5", "--outputs", "covid19,normal", recipe="xray-nothing").exception, TrainingError)
    assert isinstance(run(files / "two.h5", "--outputs", "xray,ct", recipe="admission-cnn").exception, TrainingError)
    assert "another recipe" in str(run(files / "two.h5", "--outputs", "covid19,normal", recipe="xray-cnn").exception)
    (tmp_path / "notes.h5").write_text("covid19 is in column 1\n")
    assert isinstance(run(tmp_path / "notes.h5", "--outputs", "covid19,normal").exception, ModelError)
    assert run(tmp_path / "nowhere.h5").exit_code == 2
    assert not Store(load().store).models.exists()
