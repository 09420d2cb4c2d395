"""`lungline drop`: what it copies, and what it says of what the watcher would ignore."""

import json
import os
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app


def test_what_the_watcher_ignores_is_not_dropped(tmp_path: Path, home: Path) -> None:
    study = tmp_path / "study"
    (study / ".cache").mkdir(parents=True)
    for name in ("a.dcm", "DICOMDIR", ".hidden", ".cache/b.dcm"):
        (study / name).write_bytes(name.encode())
    said = CliRunner().invoke(app, ["drop", "--json", str(study)])
    assert said.exit_code == 0
    rows = [json.loads(line) for line in said.stdout.splitlines() if line.startswith("{")]
    assert sorted((row["name"], row["outcome"]) for row in rows) == [
        (".hidden", "ignored"),
        ("DICOMDIR", "ignored"),
        ("a.dcm", "dropped"),
        ("b.dcm", "ignored"),
    ]
    assert [path.name for path in (home / "inbox").rglob("*") if path.is_file()] == ["a.dcm"]


def test_what_is_no_regular_file_is_neither_followed_nor_read(tmp_path: Path, home: Path) -> None:
    study, elsewhere = tmp_path / "study", tmp_path / "elsewhere"
    for folder in (study, elsewhere):
        folder.mkdir()
        (folder / f"{folder.name}.dcm").write_bytes(folder.name.encode())
    (study / "link.dcm").symlink_to(elsewhere / "elsewhere.dcm")
    (study / "folder").symlink_to(elsewhere)
    os.mkfifo(study / "pipe")
    said = CliRunner().invoke(app, ["drop", "--json", str(study), "/dev/zero"])
    assert said.exit_code == 1
    rows = [json.loads(line) for line in said.stdout.splitlines() if line.startswith("{")]
    refused = ("refused", "not_a_regular_file")
    assert {row["name"]: (row["outcome"], row["detail"]) for row in rows} == {
        "study.dcm": ("dropped", ""),
        "link.dcm": refused,
        "folder": refused,
        "pipe": refused,
        "zero": refused,
    }
    assert [path.name for path in (home / "inbox").rglob("*") if path.is_file()] == ["study.dcm"]
