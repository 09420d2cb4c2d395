"""`lungline reconcile` beside a watcher that goes on working, and on a store whose bytes were altered."""

import hashlib
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import reconcile
from cli.main import app
from db.drops import Drop
from db.migrate import open_database
from db.tables import Priority
from db.writer import Writer
from lungline.ids import new_id
from lungline.layout import Store
from lungline.settings import load
from tests.ledger import enter


def test_bytes_that_are_put_in_place_while_it_looks_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    sha256 = "a" * 64
    coming = store.incoming / "1~scans~any" / "a.png"
    coming.parent.mkdir(parents=True)
    coming.write_bytes(b"data")
    find = Store.find

    def found_too_early(store: Store, sha256: str, file_id: str) -> Path | None:
        path = find(store, sha256, file_id)
        if path == coming:
            store.folder(sha256).mkdir(parents=True)
            path.rename(store.folder(sha256) / path.name)
        return path

    monkeypatch.setattr(Store, "find", found_too_early)
    assert reconcile._holds(store, sha256, "1", 4)
    assert not reconcile._holds(store, sha256, "1", 5)
    assert not reconcile._holds(store, "b" * 64, "2", 4)


def test_altered_bytes_are_found_by_their_hash(home: Path) -> None:
    settings = load()
    settings.inbox.mkdir()
    store = Store(settings.store)
    writer = Writer(open_database(settings))
    for data in (b"first", b"second"):
        drop = Drop(new_id(), hashlib.sha256(data).hexdigest(), len(data), Priority.SCANS, None)
        folder = store.folder(str(drop.sha256))
        folder.mkdir(parents=True)
        (folder / "a.dcm").write_bytes(data)
        os.link(folder / "a.dcm", folder / "the same.dcm")
        enter(writer, drop)
    writer.close()
    for options in ([], ["--deep"]):
        assert CliRunner().invoke(app, ["reconcile", *options]).exit_code == 0
    (folder / "a.dcm").write_bytes(b"s3cond")
    assert CliRunner().invoke(app, ["reconcile"]).exit_code == 0
    said = CliRunner().invoke(app, ["reconcile", "--deep"])
    assert said.exit_code == 1
    assert "1     bytes in the store that differ from their hash" in said.stdout
    assert "a.dcm" not in said.stdout
