"""`lungline models`: list, show, promote, rollback."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from cli.models import app
from db.migrate import open_database
from lungline.errors import ModelError
from lungline.findings import Modality
from lungline.settings import load
from models.files import WEIGHTS, adopt
from models.registry import SHIPPED, list_descriptions, shipped


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def champion(name: str = "xray") -> str:
    engine = open_database(load())
    with engine.connect() as connection:
        query = text("SELECT version FROM model_versions WHERE kind = 'ensemble' AND state = 'champion' AND name = :name")
        version = str(connection.scalar(query, {"name": name}))
    engine.dispose()
    return version


@pytest.fixture
def adopted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], str]:
    """Puts another X-ray ensemble into the store, of the shipped member with another threshold; returns its version."""
    monkeypatch.setenv("LUNGLINE_ENGINE", "keras")
    models = load().store / "models"

    def make(margin: float) -> str:
        copy = Path(shutil.copytree(SHIPPED, tmp_path / f"trained-{margin}"))
        path = copy / "ensembles" / "xray.json"
        facts = json.loads(path.read_text())
        facts["thresholds"]["margin"] = margin
        path.write_text(json.dumps(facts))
        (version,) = (files.version for files in adopt(copy, models) if files.name == "xray")
        return version

    return make


BECAUSE = ("--by", "dr who", "--why", "better on our scans")


def test_list_as_json_has_one_object_a_version(tmp_path: Path) -> None:
    done = run("list", "--json")
    assert done.exit_code == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["version"] for row in rows} == {each.version for each in list_descriptions(tmp_path)}
    assert set(rows[0]) >= {"version", "kind", "name", "modality", "sha256"}
    assert {row["name"] for row in rows if row["state"] != "champion"} == {"xray-student", "ct-student"}


@pytest.mark.parametrize("kind", ["member", "ensemble"])
def test_show_tells_about_every_version(kind: str, tmp_path: Path) -> None:
    for each in list_descriptions(tmp_path):
        if each.kind == kind:
            plain, as_json = (run("show", each.version, *options) for options in ([], ["--json"]))
            assert each.version in plain.stdout
            assert json.loads(as_json.stdout)["version"] == each.version


def test_show_of_an_untrained_recipe_describes_its_network() -> None:
    printed = json.loads(run("show", "ct-resnet50-cap", "--json").stdout)
    assert (printed["parameters"], printed["trainable"], printed["non_trainable"]) == (49_722_627, 40_909_315, 8_813_312)
    assert printed["published"]["value"] == 0.9817
    assert '"architecture": "resnet50_cap"' in run("show", "ct-resnet50-cap").stdout


def test_show_of_an_unknown_version_names_the_way_out() -> None:
    done = run("show", "xray-9-00000000")
    assert isinstance(done.exception, ModelError)
    assert "lungline models list" in str(done.exception)
    assert "xray-cnn, " in str(done.exception)  # the recipes


def test_figures_of_the_cards_stand_in_the_database() -> None:
    run("list")
    engine = open_database(load())
    member = next(iter(shipped().values())).places[0].member
    assert member.record.figures
    figure = member.record.figures["macro_auroc"]
    with engine.connect() as connection:
        query = text("SELECT * FROM model_quality WHERE version = :version AND data = 'test' AND metric = 'macro_auroc' AND source IS NULL")
        row = connection.execute(query, {"version": member.version}).mappings().one()
    engine.dispose()
    assert [row[name] for name in ("value", "low", "high")] == [figure.value, figure.low, figure.high]
    assert row["images"] == member.record.figures.images


def test_promotion_and_the_way_back(adopted: Callable[[float], str]) -> None:
    first, second, third = shipped_xray(), adopted(0.1), adopted(0.2)
    assert run("promote", second, *BECAUSE).exit_code == 0
    assert run("promote", third, *BECAUSE).exit_code == 0
    assert champion() == third
    for expected in (second, first):
        assert run("rollback", "--modality", "xray", *BECAUSE).exit_code == 0
        assert champion() == expected
    assert isinstance(run("rollback", *BECAUSE).exception, ModelError)
    assert champion("ct") in {each.version for each in list_descriptions(Path())}


def test_a_way_back_for_what_is_no_modality_is_refused_by_name() -> None:
    done = run("rollback", "--modality", "foo", *BECAUSE)
    assert done.exit_code == 2
    assert all(f"'{name}'" in done.stderr for name in ("foo", "xray", "ct", "admission"))


def test_a_promoted_version_stays_champion_whatever_ships(adopted: Callable[[float], str], monkeypatch: pytest.MonkeyPatch) -> None:
    version = adopted(0.1)
    run("promote", version, *BECAUSE)
    shutil.rmtree(load().store / "models")  # away for now; nobody decided anything
    assert run("list").exit_code == 0
    assert champion() == version


@pytest.mark.parametrize("version", ["xray-9-00000000", "../../etc/passwd", shipped()[Modality.XRAY].places[0].member.version])
def test_what_is_no_ensemble_is_not_promoted(version: str) -> None:
    done = run("promote", version, *BECAUSE)
    assert isinstance(done.exception, ModelError)
    assert champion() == shipped_xray()


def test_the_champion_is_not_promoted_over_itself() -> None:
    assert "already" in str(run("promote", shipped_xray(), *BECAUSE).exception)


@pytest.mark.parametrize("damage", ["weights", "description", "weights missing"])
def test_what_is_damaged_is_refused_and_the_old_one_stays(adopted: Callable[[float], str], damage: str) -> None:
    version = adopted(0.1)
    run("list")
    models = load().store / "models"
    member = shipped()[Modality.XRAY].places[0].member
    weights = models / member.name / member.version / WEIGHTS
    if damage == "weights":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif damage == "weights missing":
        weights.unlink()
    else:
        (models / "ensembles" / f"{version}.json").write_text("{")
    done = run("promote", version, *BECAUSE)
    assert isinstance(done.exception, ModelError)
    assert version in str(done.exception) or member.version in str(done.exception)
    assert champion() == shipped_xray()


def test_who_and_why_must_be_said(adopted: Callable[[float], str]) -> None:
    version = adopted(0.1)
    run("list")
    assert run("promote", version, "--by", "x").exit_code == 2
    for by, why in ((" ", "because"), ("x", ""), ("x" * 65, "because"), ("x", "y" * 301)):
        assert "--why" in str(run("promote", version, "--by", by, "--why", why).exception)
    assert champion() == shipped_xray()


def shipped_xray() -> str:
    return shipped()[Modality.XRAY].version
