"""`lungline quarantine`: how it exits."""

from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from db import drops, migrate
from db.drops import Drop
from db.tables import Priority
from lungline.errors import LedgerError
from lungline.ids import new_id
from lungline.layout import Store
from lungline.reasons import Reason
from lungline.settings import load


def test_what_cannot_be_released_is_said(home: Path) -> None:
    settings = load()
    drop = Drop(new_id(), None, 1, Priority.SCANS, None)
    with migrate.open_database(settings).begin() as connection:
        drops.refuse(connection, drop, Reason.UNREADABLE)
    folder = Store(settings.store).quarantine / drop.id
    folder.mkdir(parents=True)
    (folder / "p.png").touch()
    said = CliRunner().invoke(app, ["quarantine", "release", drop.id, "unknown"])
    assert said.stdout == "1 released\n"
    assert isinstance(said.exception, LedgerError)
    assert "1 could not be released" in str(said.exception)


def test_a_release_of_nothing_is_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["quarantine", "release"]).exit_code == 2
