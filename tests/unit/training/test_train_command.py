"""`lungline train`."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.train import train
from lungline.errors import TrainingError
from models.files import read_ensemble

app = typer.Typer()
app.command()(train)


def test_makes_a_member_and_its_ensemble(tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(tiny_data))
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["admission-cnn", "--epochs", "1", "--weights", "none", "--seed", "7", "--out", str(out)])
    assert done.exit_code == 0, done.exception
    (place,) = read_ensemble(out, "admission").places
    assert place.member.version in done.stdout
    assert place.member.told["seed"] == 7
    assert not list(out.glob(".*"))  # no draft is left


@pytest.mark.parametrize(
    ("arguments", "message"), [(["admission-cnn"], "LUNGLINE_TRAINING_DATA"), (["no-such-recipe"], "xray-mobilenetv2")]
)
def test_says_what_is_missing(arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_data: Path) -> None:
    if message != "LUNGLINE_TRAINING_DATA":
        monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(tiny_data))
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path)])
    assert isinstance(done.exception, TrainingError)
    assert message in str(done.exception)
