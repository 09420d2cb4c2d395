"""`lungline drop`: what it copies, and what it says of what the watcher would ignore."""

import json
import os
import resource
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from lungline.errors import StoreError


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


def test_a_disk_that_is_full_is_told(tmp_path: Path, home: Path) -> None:
    (tmp_path / "large.dcm").write_bytes(bytes(4 << 20))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, before[1]))  # as good as full
    try:
        said = CliRunner().invoke(app, ["drop", str(tmp_path / "large.dcm")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert isinstance(said.exception, StoreError)
    assert "LUNGLINE_INBOX (File too large)" in str(said.exception)
    assert list((home / "inbox").iterdir()) == []
