"""`lungline doctor`: every check is made, whatever another finds."""

import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import doctor
from cli.main import app
from db import runs
from db.migrate import open_database
from db.tables import RunOutcome
from lungline.presence import Presence
from lungline.settings import load
from tests.entered import claim_run


def test_one_check_that_breaks_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> list[str]:
        raise RuntimeError("planted-secret")

    monkeypatch.setattr(doctor, "_broker", broken)
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 1
    assert "WRONG  the check of broken failed unexpectedly (RuntimeError)" in said.stdout
    assert "last training run: none yet" in said.stdout  # the last check
    assert "planted-secret" not in said.stdout


def test_a_tmpdir_that_is_no_folder_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    monkeypatch.setattr(tempfile, "tempdir", None)  # Python looks once
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 1
    assert "WRONG  TMPDIR names no folder that this user may write to" in said.stdout


def test_a_slip_of_the_pen_in_the_environment_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BATCHMAX", "16")
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 1
    assert "WRONG  LUNGLINE_BATCHMAX: no such setting" in said.stdout


@pytest.mark.parametrize("name", ["DEVICES", "TRAINING_DEVICE"])
def test_a_gpu_that_is_not_there_is_wrong(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"LUNGLINE_{name}", "99")
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 1
    assert f"WRONG  LUNGLINE_{name} names GPU 99, and TensorFlow sees none such" in said.stdout


@pytest.mark.parametrize(
    ("names", "lame"),
    [
        (["up", "flower"], "redis, watch, inference-0"),
        (["watch", "flower"], "watch"),  # on a host whose service manager starts these two
    ],
)
def test_a_process_that_does_not_get_ready_is_wrong(names: list[str], lame: str) -> None:
    settings = load()
    held = [Presence.take(settings.layout.run, name) for name in names]
    held[1].tell(ready=True)
    said = CliRunner().invoke(app, ["doctor"])
    for presence in held:
        presence.leave()
    assert said.exit_code == 1
    assert f"not ready: {lame}" in said.stdout


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("RETRAIN_RECIPES", "xray-cnn,nonsense", "No recipe is named `nonsense`"),
        ("RETRAIN_RECIPES", "admission-cnn", "has no gate"),
        ("TRAINING_DATA", "{}/none", "holds no manifest.csv"),
        ("WEIGHTS_DIR", "{}/none", "is no folder"),
        ("WEIGHTS_DIR", "{}/file", "is no folder"),
    ],
)
def test_what_no_retraining_can_begin_with_is_wrong(
    name: str, value: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(f"LUNGLINE_{name}", value.format(tmp_path))
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 1
    (wrong,) = (line for line in said.stdout.splitlines() if line.startswith("WRONG"))
    assert f"LUNGLINE_{name}" in wrong
    assert told in wrong


def test_reports_needs_of_a_retraining_and_the_last_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "manifest.csv").touch()
    for name, value in (("RETRAIN_RECIPES", "ct-cnn, xray-cnn"), ("TRAINING_DATA", str(tmp_path)), ("WEIGHTS_DIR", str(tmp_path))):
        monkeypatch.setenv(f"LUNGLINE_{name}", value)
    with open_database(load()).begin() as connection:
        claim = claim_run(connection, runs.enter(connection, "hand") or "", "slot/boot/a")
        assert claim
        runs.finish(connection, claim, RunOutcome.FAILED, "The disk is full.")
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 0
    assert "retraining: by ct-cnn, xray-cnn" in said.stdout
    assert "LUNGLINE_TRAINING_DATA: holds a manifest.csv" in said.stdout
    assert "last training run: failed: The disk is full." in said.stdout
