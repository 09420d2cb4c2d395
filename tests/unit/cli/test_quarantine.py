"""`lungline quarantine release`: a refused file goes back into the inbox, over nothing that lies there."""

from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from db import drops, migrate
from db.drops import Drop
from db.tables import Priority
from lungline.ids import new_id
from lungline.reasons import Reason
from lungline.settings import load
from lungline.store import Store


def test_a_long_name_goes_back_beside_what_has_it_already(home: Path) -> None:
    name = "é" * 125 + ".png"
    settings = load()
    engine = migrate.open_database(settings)
    drop = Drop(new_id(), None, 1, Priority.SCANS, None)
    with engine.begin() as connection:
        drops.refuse(connection, drop, Reason.UNREADABLE)
    engine.dispose()
    refused = Store(settings.store).quarantine / drop.id
    refused.mkdir(parents=True)
    (refused / name).write_text("refused")
    settings.inbox.mkdir()
    (settings.inbox / name).symlink_to("nowhere")  # waits to be refused itself
    said = CliRunner().invoke(app, ["quarantine", "release", drop.id])
    assert said.stdout == "1 released\n", said.exception
    assert (settings.inbox / name).is_symlink()
    assert [path.read_text() for path in settings.inbox.iterdir() if not path.is_symlink()] == ["refused"]
    assert not refused.exists()
