"""Intake against a real ledger and store, broken off at every step that a crash could find it at."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from db import migrate, status
from db.tables import Outcome, Priority
from db.writer import Writer
from lungline.errors import LedgerError, StoreError
from lungline.findings import Modality
from lungline.pseudonyms import PseudonymKey
from lungline.reasons import Reason
from lungline.settings import Settings, load
from lungline.store import FILE_BYTES_MAX, Store
from watcher.intake import Brought, FileError, Intake


class Place:
    """A home with an inbox, and intakes that may be made anew as a restarted watcher would."""

    def __init__(self, settings: Settings) -> None:
        self.inbox = settings.inbox
        self.inbox.mkdir()
        self.store = Store(settings.store)
        self.engine = migrate.open_database(settings)
        self.writer = Writer(self.engine)
        self.key = PseudonymKey.load_or_create(settings.key_file)
        self.intake = Intake(self.store, self.writer, self.key, "move")
        self.intake.finish()

    def restarted(self, mode: str = "move") -> Intake:
        """As a new process would have it; the one before is as good as dead."""
        self.intake.close()
        self.intake = Intake(self.store, self.writer, self.key, "leave" if mode == "leave" else "move")
        self.intake.finish()
        return self.intake

    def drop(self, name: str = "a.png", data: bytes = b"data") -> Path:
        path = self.inbox / name
        path.write_bytes(data)
        return path

    def bring(self, path: Path) -> Brought:
        brought = self.intake.bring(str(path), path.lstat(), Priority.STAT, Modality.CT)
        assert brought is not None
        return brought

    def counts(self) -> tuple[object, ...]:
        counts = status.counts(self.engine)
        return tuple(counts[name] for name in ("files", "accepted", "duplicates", "refused"))

    def stored(self, data: bytes = b"data") -> list[str]:
        return self.store.names(hashlib.sha256(data).hexdigest())

    def in_incoming(self) -> list[str]:
        return sorted(path.name for path in self.store.incoming.rglob("*") if not path.name.startswith("."))


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place(load())
    yield place
    place.intake.close()
    place.writer.close()
    place.engine.dispose()


def test_a_file_moves_into_the_store(place: Place) -> None:
    path = place.drop()
    assert place.intake.enter([place.bring(path)]) == [Outcome.ACCEPTED]
    assert not path.exists()
    assert place.stored() == ["a.png"]
    assert place.in_incoming() == []


def test_a_duplicate_is_a_second_name(place: Place) -> None:
    for name in ("a.png", "b.png", "b.png"):
        place.intake.enter([place.bring(place.drop(name))])
    assert place.counts() == (3, 1, 2, 0)
    assert place.stored() == ["a.png", "b.png"]
    assert place.in_incoming() == []


def test_duplicates_that_come_together_are_put_in_place_together(place: Place) -> None:
    brought = []
    for number in range(60):
        folder = place.inbox / str(number)
        folder.mkdir()
        (folder / f"{number % 20}.png").write_bytes(b"data")
        brought.append(place.bring(folder / f"{number % 20}.png"))
    outcomes = place.intake.enter(brought)
    assert (outcomes[0], outcomes.count(Outcome.DUPLICATE)) == (Outcome.ACCEPTED, 59)
    assert place.counts() == (60, 1, 59, 0)
    assert place.stored() == sorted(f"{number}.png" for number in range(20))
    assert place.in_incoming() == []


def test_a_crash_before_the_row_is_finished_at_the_next_start(place: Place) -> None:
    place.bring(place.drop())
    place.restarted()
    assert place.counts() == (1, 1, 0, 0)
    assert place.stored() == ["a.png"]
    assert place.in_incoming() == []


def test_a_crash_after_the_row_is_finished_at_the_next_start(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    brought = place.bring(place.drop())
    monkeypatch.setattr(Intake, "_place", lambda *_: None)
    place.intake.enter([brought])
    monkeypatch.undo()
    assert place.store.find(str(brought.drop.sha256), brought.drop.id) is not None  # a worker may be quicker than the move
    place.restarted()
    assert place.counts() == (1, 1, 0, 0)
    assert place.stored() == ["a.png"]


def test_a_hard_link_is_copied_and_unlinked(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"data")
    path = place.inbox / "a.png"
    os.link(other, path)
    place.intake.enter([place.bring(path)])
    other.write_bytes(b"changed by its other name")
    assert not path.exists()
    assert (place.store.folder(hashlib.sha256(b"data").hexdigest()) / "a.png").read_bytes() == b"data"


@pytest.mark.parametrize("after_row", [False, True])
def test_a_crash_while_copying_counts_once(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after_row: bool) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"data")
    path = place.inbox / "a.png"
    os.link(other, path)
    brought = place.bring(path)
    if after_row:
        monkeypatch.setattr(Intake, "_place", lambda *_: None)
        place.intake.enter([brought])
        monkeypatch.undo()
    place.restarted()
    if path.exists():
        place.intake.enter([place.bring(path)])
    assert place.counts() == (1, 1, 0, 0)
    assert place.stored() == ["a.png"]
    assert not path.exists()
    assert place.in_incoming() == []


def test_another_file_system_is_copied_from(place: Place) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == place.inbox.stat().st_dev:
        pytest.skip("no second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        place.inbox = Path(folder)
        _comes_in(place)


def _comes_in(place: Place) -> None:
    path = place.drop()
    assert place.intake.enter([place.bring(path)]) == [Outcome.ACCEPTED]
    assert not path.exists()
    assert place.stored() == ["a.png"]


def test_what_is_left_in_the_inbox_counts_once(place: Place) -> None:
    place.restarted("leave")
    path = place.drop()
    place.intake.enter([place.bring(path)])
    assert path.exists()
    assert place.intake.known([(str(path), path.lstat())]) == {str(path)}
    place.intake.enter([place.bring(path)])  # a watcher that did not ask
    assert place.counts() == (1, 1, 0, 0)
    path.write_bytes(b"another picture")
    assert place.intake.known([(str(path), path.lstat())]) == set()


@pytest.mark.parametrize("kind", ["empty", "fifo", "link", "folder_link"])
def test_what_cannot_be_read_is_refused_and_kept(place: Place, kind: str) -> None:
    path = place.inbox / "a.png"
    if kind == "empty":
        path.touch()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/etc/hostname" if kind == "link" else "/etc")
    brought = place.bring(path)
    assert brought.reason is (Reason.EMPTY if kind == "empty" else Reason.NOT_A_REGULAR_FILE)
    place.intake.enter([brought])
    assert place.counts() == (1, 0, 0, 1)
    assert place.store.refused_names(brought.drop.id) == ["a.png"]
    assert not os.path.lexists(path)


def test_a_file_that_changes_while_it_is_read_is_left_alone(place: Place) -> None:
    path = place.drop()
    before = path.lstat()
    path.write_bytes(b"more data")
    assert place.intake.bring(str(path), before, Priority.SCANS, None) is None
    assert path.exists()
    assert place.in_incoming() == []


def test_a_full_store_leaves_the_file_in_the_inbox(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    other = tmp_path / "other"
    other.write_bytes(b"data")
    path = place.inbox / "a.png"
    os.link(other, path)
    monkeypatch.setattr("watcher.intake.shutil.copyfileobj", full)
    with pytest.raises(StoreError, match="LUNGLINE_STORE"):
        place.bring(path)
    monkeypatch.undo()
    assert place.in_incoming() == []
    assert place.intake.enter([place.bring(path)]) == [Outcome.ACCEPTED]


def test_a_lost_database_loses_nothing(place: Place) -> None:
    brought = place.bring(place.drop())
    place.writer.close()
    with pytest.raises(LedgerError):
        place.intake.enter([brought])
    place.writer = Writer(place.engine)
    place.restarted()
    assert place.counts() == (1, 1, 0, 0)


def test_an_unreadable_file_is_refused(place: Place) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder that another user may move from but not read")
    path = place.drop()
    path.chmod(0)
    for folder in (place.inbox, place.inbox.parent, place.store.root, place.store.incoming):
        os.chmod(folder, 0o777)
    parents = [folder for folder in path.parents if not folder.stat().st_mode & 0o001]
    for folder in parents:
        os.chmod(folder, folder.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        brought = place.bring(path)
    finally:
        os.seteuid(0)
    assert brought.reason is Reason.UNREADABLE
    place.intake.enter([brought])
    assert place.counts() == (1, 0, 0, 1)


def test_bytes_that_cannot_be_put_in_place_are_kept(place: Place) -> None:
    brought = [place.bring(place.drop("a.png", b"first")), place.bring(place.drop("b.png", b"second"))]
    in_the_way = place.store.folder(str(brought[1].drop.sha256)) / "b.png"
    in_the_way.mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        place.intake.enter(brought)
    in_the_way.rmdir()
    assert place.intake.enter(brought) == [Outcome.ACCEPTED] * 2  # as the watcher does: once more, though the first is in place
    assert place.stored(b"first") == ["a.png"]
    assert place.stored(b"second") == ["b.png"]
    assert place.counts() == (2, 2, 0, 0)
    assert place.in_incoming() == []


def test_two_links_to_one_file_are_two_drops(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"data")
    paths = [place.inbox / name for name in ("a.png", "b.png")]
    for path in paths:
        os.link(other, path)
    brought = [place.bring(path) for path in paths]
    place.intake.enter(brought)  # unlinking the one changes the other's change time
    assert [path.exists() for path in paths] == [False, False]
    assert place.counts() == (2, 1, 1, 0)


def test_an_original_that_was_written_to_since_it_was_copied_is_left(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"data")
    path = place.inbox / "a.png"
    os.link(other, path)
    brought, before = place.bring(path), path.stat()
    path.write_bytes(b"DATA")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # and its time set back
    place.intake.enter([brought])
    assert path.read_bytes() == b"DATA"


def test_a_file_that_may_be_read_but_not_taken_away_counts_once(place: Place) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a sticky folder with another user's file in it")
    path = place.drop()
    path.chmod(0o644)
    os.chmod(place.inbox, 0o1777)
    for folder in (place.store.root, place.store.incoming):
        os.chmod(folder, 0o777)
    for folder in path.parents:
        if not folder.stat().st_mode & 0o001:
            os.chmod(folder, folder.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        for _ in range(2):
            place.intake.enter([place.bring(path)])
    finally:
        os.seteuid(0)
    assert path.exists()
    assert place.counts() == (1, 1, 0, 0)
    assert place.in_incoming() == []


def test_a_disk_that_fails_leaves_the_file_in_the_inbox(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    path = place.drop()
    monkeypatch.setattr("watcher.intake.os.fsync", fails)
    with pytest.raises(FileError):
        place.intake.bring(str(path), path.lstat(), Priority.SCANS, None)
    assert path.exists()
    assert place.in_incoming() == []


def test_a_full_store_leaves_what_is_no_file_in_the_inbox(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    path = place.inbox / "a.png"
    os.mkfifo(path)
    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(StoreError, match="LUNGLINE_STORE"):
        place.bring(path)
    assert os.path.lexists(path)


def test_what_another_watcher_brings_at_this_moment_is_not_thrown_away(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place.store.incoming / "0~scans~any"
    folder.mkdir()
    iterdir = Path.iterdir

    def too_early(path: Path) -> Iterator[Path]:
        found = list(iterdir(path))
        if path == folder:
            (folder / "a.png").write_bytes(b"data")
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", too_early)
    place.restarted()
    monkeypatch.undo()
    assert place.in_incoming() == ["0~scans~any", "a.png"]


def test_what_another_living_watcher_is_copying_is_left_to_it(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"data")
    path = place.inbox / "a.png"
    os.link(other, path)
    brought = place.bring(path)
    second = Intake(place.store, place.writer, place.key, "move")
    assert second.finish() == 0
    assert place.intake.enter([brought]) == [Outcome.ACCEPTED]
    assert place.stored() == ["a.png"]
    assert not path.exists()
    lost = place.bring(place.drop("b.png", b"more"))
    place.intake.close()  # as its death does
    assert second.finish() == 1
    second.close()
    assert place.stored(b"more") == ["b.png"]
    assert place.store.find(str(lost.drop.sha256), lost.drop.id) is not None
    assert place.counts() == (2, 2, 0, 0)


def test_lost_bytes_that_are_dropped_again_are_found_before_they_are_in_place(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    first = place.bring(place.drop())
    place.intake.enter([first])
    shutil.rmtree(place.store.folder(str(first.drop.sha256)))
    again = place.bring(place.drop("b.png"))
    monkeypatch.setattr(Intake, "_place", lambda *_: None)
    assert place.intake.enter([again]) == [Outcome.DUPLICATE]
    found = place.store.find(str(first.drop.sha256), first.drop.id)
    assert found is not None
    assert found.read_bytes() == b"data"
    monkeypatch.undo()
    place.restarted()
    assert place.stored() == ["b.png"]


def test_what_is_larger_than_any_scan_is_refused_unread(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watcher.intake.hashlib.file_digest", None)
    path = place.inbox / "huge.dcm"
    with path.open("wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)
    brought = place.bring(path)
    assert brought.reason is Reason.TOO_LARGE
    assert place.intake.enter([brought]) == [Outcome.REFUSED]
    assert place.store.refused_names(brought.drop.id) == ["huge.dcm"]


def test_what_cannot_be_read_for_long_is_refused_unread(place: Place) -> None:
    path = place.drop()
    brought = place.intake.give_up(str(path), path.lstat(), Priority.SCANS, None)
    assert brought is not None
    assert brought.reason is Reason.UNREADABLE
    assert place.intake.enter([brought]) == [Outcome.REFUSED]
    assert place.store.refused_names(brought.drop.id) == ["a.png"]


def test_a_store_that_is_away_is_not_made_anew(place: Place) -> None:
    path = place.drop()
    place.store.root.rename(place.store.root.with_name("away"))
    with pytest.raises(StoreError, match="LUNGLINE_STORE"):
        place.bring(path)
    assert path.exists()
    assert not place.store.root.exists()
    place.store.root.with_name("away").rename(place.store.root)
    assert place.intake.enter([place.bring(path)]) == [Outcome.ACCEPTED]


def test_what_cannot_be_finished_keeps_nobody_waiting(place: Place) -> None:
    place.bring(place.drop())
    (place.store.incoming / "put here by hand").mkdir()
    place.restarted()
    assert place.counts() == (1, 1, 0, 0)
