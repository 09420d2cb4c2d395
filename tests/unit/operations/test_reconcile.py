"""The proof that nothing is lost, beside a watcher that goes on working, and on a store whose bytes were altered."""

import hashlib
import os
from pathlib import Path

import pytest

from db.drops import Drop
from db.migrate import open_database
from db.tables import Priority
from db.writer import Writer
from lungline.ids import new_id
from lungline.layout import Store
from lungline.settings import load
from operations.reconcile import add_up, check, count_altered, holds
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
    assert holds(store, sha256, "1", 4)
    assert not holds(store, sha256, "1", 5)
    assert not holds(store, "b" * 64, "2", 4)


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
    assert [rule for rule in check(settings) if rule.wrong] == []
    assert count_altered(settings) == 0
    (folder / "a.dcm").write_bytes(b"s3cond")
    assert [rule for rule in check(settings) if rule.wrong] == []
    assert count_altered(settings) == 1


def test_lost_bytes_and_files_not_taken_in_are_counted(home: Path) -> None:
    settings = load()
    settings.inbox.mkdir()
    writer = Writer(open_database(settings))
    enter(writer, Drop(new_id(), "a" * 64, 4, Priority.SCANS, None))
    writer.close()
    (settings.inbox / "DOE^JANE.dcm").write_bytes(b"data")
    wrong = [rule for rule in check(settings) if rule.wrong]
    assert [rule.sentence.split(" ")[:2] for rule in wrong] == [["accepted", "files"], ["files", "in"]]
    assert {rule.wrong for rule in wrong} == {1}
    files, scans = add_up(settings)
    assert (files.name, files.total, files.parts) == ("files", 1, {"accepted": 1, "duplicates": 0, "refused": 0, "unpacked": 0})
    assert (scans.total, scans.parts["waiting"]) == (1, 1)
