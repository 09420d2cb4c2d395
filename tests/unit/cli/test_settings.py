import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from lungline.settings import Settings


def test_each_setting_is_told_with_its_source(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "lungline.toml").write_text('quiet_seconds = 3\nbatch_max = 8\ndatabase_url = "postgresql://u:geheim@db/x"\n')
    monkeypatch.setenv("LUNGLINE_BATCH_MAX", "16")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(home))
    (home / "lungline_batch_max").write_text("64")
    (home / "lungline_broker_url").write_text("redis://:hunter2@cache:6379/0\n")

    result = CliRunner().invoke(app, ["settings", "--json"])

    assert result.exit_code == 0
    said = {line["name"]: (line["value"], line["source"]) for line in map(json.loads, result.stdout.splitlines())}
    assert list(said) == list(Settings.model_fields)
    assert said["home"] == (str(home), "environment")
    assert said["batch_max"] == ("16", "environment")
    assert said["quiet_seconds"] == ("3.0", "lungline.toml")
    assert said["database_url"] == ("postgresql+psycopg://u:***@db/x", "lungline.toml")
    assert said["broker_url"] == ("redis://:***@cache:6379/0", "secret file")
    assert said["intake"] == ("move", "default")
    assert said["weights_dir"] == (None, "default")


def test_people_read_no_password_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", "redis://:hunter2@cache:6379/0")

    result = CliRunner().invoke(app, ["settings"])

    assert "redis://:***@cache:6379/0  (environment)" in result.stdout
    assert "hunter2" not in result.stdout


def test_a_name_that_is_no_setting_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BATCHMAX", "16")

    result = CliRunner().invoke(app, ["settings"])

    assert result.exit_code == 0
    assert "LUNGLINE_BATCHMAX is not a setting" in result.stderr
