"""`lungline reconcile`: what it prints, and how it exits."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from db.drops import Drop
from db.migrate import open_database
from db.tables import Priority
from db.writer import Writer
from lungline.ids import new_id
from lungline.layout import Store
from lungline.settings import load
from tests.ledger import enter


@pytest.mark.parametrize("options", [[], ["--deep"]])
def test_nothing_wrong_exits_0(options: list[str], home: Path) -> None:
    load().inbox.mkdir()
    said = CliRunner().invoke(app, ["reconcile", *options])
    assert said.exit_code == 0, said.exception
    assert "0 files = 0 accepted + 0 duplicates + 0 refused" in said.stdout
    assert all(line.startswith(("ok ", "0 ")) for line in said.stdout.splitlines())


def test_altered_bytes_exit_1_and_are_not_named(home: Path) -> None:
    settings = load()
    settings.inbox.mkdir()
    writer = Writer(open_database(settings))
    enter(writer, Drop(new_id(), "a" * 64, 4, Priority.SCANS, None))
    writer.close()
    folder = Store(settings.store).folder("a" * 64)
    folder.mkdir(parents=True)
    (folder / "DOE^JANE.dcm").write_bytes(b"data")
    assert CliRunner().invoke(app, ["reconcile"]).exit_code == 0
    said = CliRunner().invoke(app, ["reconcile", "--deep"])
    assert said.exit_code == 1
    assert "1     files in the store that differ from their hash" in said.stdout
    assert "1 problems; no watcher" in said.stdout
    assert "DOE" not in said.stdout
