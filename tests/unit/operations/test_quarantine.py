"""A release from quarantine: a refused file goes back into the inbox, over nothing that lies there."""

import errno
import hashlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest

from db import archives, drops, migrate
from db.drops import Drop
from db.tables import Priority
from lungline.findings import Modality
from lungline.ids import new_id
from lungline.layout import Store
from lungline.reasons import Reason
from lungline.settings import load
from operations.quarantine import Released, list_quarantined, release


def refused(home: Path, name: str, hint: Modality | None = None, priority: Priority = Priority.SCANS) -> tuple[str, Path]:
    """Refuses a file; the id of its row, and its folder in the store."""
    settings = load()
    engine = migrate.open_database(settings)
    drop = Drop(new_id(), None, 1, priority, hint)
    with engine.begin() as connection:
        drops.refuse(connection, drop, Reason.UNREADABLE)
    engine.dispose()
    folder = Store(settings.store).quarantine / drop.id
    folder.mkdir(parents=True)
    (folder / name).write_text("refused")
    return drop.id, folder


def test_it_goes_back_into_the_folders_that_say_what_it_is(home: Path) -> None:
    quarantine_id, folder = refused(home, "p.png", Modality.XRAY, Priority.STAT)
    assert release(load(), [quarantine_id]) == Released(1, 0)
    assert (load().inbox / "stat" / "xray" / "p.png").read_text() == "refused"
    assert not folder.exists()


def test_a_copy_is_on_the_disk_before_the_store_lets_go(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def notes_and_syncs(descriptor: int) -> None:
        still_there.append((folder / "p.png").exists())
        fsync(descriptor)

    quarantine_id, folder = refused(home, "p.png")
    fsync, still_there = os.fsync, list[bool]()
    monkeypatch.setattr(os, "link", no_links)  # as between two mounts of one file system
    monkeypatch.setattr(os, "fsync", notes_and_syncs)
    assert release(load(), [quarantine_id]) == Released(1, 0)
    assert len(still_there) >= 3  # the bytes, the draft's name, and the name that stays
    assert all(still_there)
    assert [path.read_text() for path in load().inbox.iterdir()] == ["refused"]
    assert not folder.exists()


def test_the_inbox_may_lie_on_another_file_system(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == home.stat().st_dev:
        pytest.skip("there is one file system alone")
    with tempfile.TemporaryDirectory(dir=other) as inbox:
        monkeypatch.setenv("LUNGLINE_INBOX", inbox)
        quarantine_id, folder = refused(home, "p.png")
        assert release(load(), [quarantine_id]) == Released(1, 0)
        assert [path.name for path in Path(inbox).iterdir()] == ["p.png"]
        assert not folder.exists()


def test_a_long_name_goes_back_beside_what_has_it_already(home: Path) -> None:
    name = "é" * 125 + ".png"
    quarantine_id, folder = refused(home, name)
    settings = load()
    settings.inbox.mkdir()
    (settings.inbox / name).symlink_to("nowhere")  # waits to be refused itself
    assert release(load(), [quarantine_id]) == Released(1, 0)
    assert (settings.inbox / name).is_symlink()
    assert [path.read_text() for path in settings.inbox.iterdir() if not path.is_symlink()] == ["refused"]
    assert not folder.exists()


def test_others_may_write_while_a_file_is_copied(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == home.stat().st_dev:
        pytest.skip("there is one file system alone")
    quarantine_id, folder = refused(home, "p.png")
    copyfile, written = shutil.copyfile, list[int]()

    def copies_slowly(source: Path, target: Path) -> None:
        with sqlite3.connect(home / "lungline.db", timeout=0) as connection:
            written.append(connection.execute("UPDATE files SET bytes = 7").rowcount)
        copyfile(source, target)

    with tempfile.TemporaryDirectory(dir=other) as folder_of_inbox:
        monkeypatch.setenv("LUNGLINE_INBOX", folder_of_inbox)
        monkeypatch.setattr("shutil.copyfile", copies_slowly)
        assert release(load(), [quarantine_id]) == Released(1, 0)
        assert [path.name for path in Path(folder_of_inbox).iterdir()] == ["p.png"]
    assert written == [1]
    assert not folder.exists()


def test_what_cannot_be_copied_stays_quarantined(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == home.stat().st_dev:
        pytest.skip("there is one file system alone")
    quarantine_id, folder = refused(home, "p.png")

    def full(source: Path, target: Path) -> None:
        target.write_text("half")
        raise OSError(28, "No space left on device")

    with tempfile.TemporaryDirectory(dir=other) as folder_of_inbox:
        monkeypatch.setenv("LUNGLINE_INBOX", folder_of_inbox)
        with monkeypatch.context() as patch:
            patch.setattr("shutil.copyfile", full)
            with pytest.raises(OSError, match="No space"):
                release(load(), [quarantine_id])
        assert list(Path(folder_of_inbox).iterdir()) == []
        assert release(load(), [quarantine_id]) == Released(1, 0)
    assert not folder.exists()


def test_unknown_released_and_lost_ones_are_counted(home: Path) -> None:
    here, _ = refused(home, "here.png")
    lost, folder = refused(home, "lost.png")
    (folder / "lost.png").unlink()
    assert release(load(), ["unknown", "\udcff", here, lost]) == Released(1, 3)
    assert release(load(), [here]) == Released(0, 1)


def test_the_list_names_files_and_leaves_out_what_was_released(home: Path) -> None:
    first, _ = refused(home, "first.png")
    second, _ = refused(home, "second.png")
    release(load(), [first])
    (listed,) = list_quarantined(load())
    assert (listed.columns["quarantine_id"], listed.columns["reason"], listed.names) == (second, "unreadable", ["second.png"])
    assert [file.columns["quarantine_id"] for file in list_quarantined(load(), released=True)] == [first, second]


def test_a_reason_releases_all_that_have_it(home: Path) -> None:
    refused(home, "first.png")
    refused(home, "second.png")
    assert release(load(), [], Reason.TRUNCATED) == Released(0, 0)
    assert release(load(), [], Reason.UNREADABLE) == Released(2, 0)


def test_an_archive_that_was_refused_is_copied_back(home: Path) -> None:
    settings = load()
    engine = migrate.open_database(settings)
    data = b"an archive"
    drop = Drop(new_id(), hashlib.sha256(data).hexdigest(), len(data), Priority.STAT, None)
    with engine.begin() as connection:
        archives.enter(connection, drop)
        archives.refuse(connection, drop.id, Reason.ARCHIVE_TOO_LARGE)
    engine.dispose()
    folder = Store(settings.store).folder(str(drop.sha256))
    folder.mkdir(parents=True)
    (folder / "study.zip").write_bytes(data)
    (row,) = list_quarantined(settings)
    assert row.names == ["study.zip"]

    assert release(settings, [drop.id]) == Released(1, 0)

    released = settings.inbox / "stat" / "study.zip"
    assert released.read_bytes() == (folder / "study.zip").read_bytes() == data
    assert released.stat().st_ino != (folder / "study.zip").stat().st_ino  # nobody writes to the store from the inbox
