"""`lungline drop`: what it prints, and how it exits."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from lungline.presence import Presence
from lungline.settings import load


def test_each_file_is_one_json_object_and_a_refused_one_exits_1(tmp_path: Path) -> None:
    (tmp_path / "a\n.dcm").touch()
    said = CliRunner().invoke(app, ["drop", "--json", str(tmp_path / "a\n.dcm")])
    assert said.exit_code == 0
    (row,) = map(json.loads, said.stdout.splitlines())
    assert (row["name"], row["outcome"], row["detail"]) == ("a\\n.dcm", "dropped", "")
    os.mkfifo(tmp_path / "pipe")
    assert CliRunner().invoke(app, ["drop", str(tmp_path / "pipe")]).exit_code == 1


@pytest.mark.parametrize("waits", [[], ["--wait", "0.1"]])
def test_it_is_told_when_nobody_is_there_to_take_files_in(waits: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.dcm").touch()
    said = CliRunner().invoke(app, ["drop", *waits, str(tmp_path / "a.dcm")])
    assert said.exit_code == (1 if waits else 0)
    assert "No watcher runs for this home: start `lungline up`" in said.stderr
    watcher = Presence.take(load().layout.run, "watch")
    said = CliRunner().invoke(app, ["drop", *waits, str(tmp_path / "a.dcm")])
    watcher.leave()
    assert "watcher" not in said.stderr
