"""`lungline drop`: what it copies, and what it says of what the watcher would ignore."""

import json
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
