"""Disks that are full, fail or are away, and files that other users hold: nothing is lost, and nothing counts twice."""

import errno
import os
import threading
from pathlib import Path

import pytest

from db.tables import Outcome, Priority
from lungline.errors import StoreError
from lungline.reasons import Reason
from tests.integration.watcher.intake.place import IntakePlace
from watcher.faults import until_possible
from watcher.file_errors import FileError
from watcher.limits import Limits


def test_a_full_store_leaves_the_file_in_the_inbox(place: IntakePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    path = place.link()
    monkeypatch.setattr("watcher.intake.shutil.copyfileobj", full)
    with pytest.raises(StoreError, match="LUNGLINE_STORE"):
        place.stage(path)
    monkeypatch.undo()
    assert place.in_incoming() == []
    assert place.entering.enter([place.stage(path)]) == [Outcome.ACCEPTED]


def test_a_full_store_leaves_what_is_no_file_in_the_inbox(place: IntakePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    path = place.inbox / "a.png"
    os.mkfifo(path)
    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(StoreError, match="LUNGLINE_STORE"):
        place.stage(path)
    assert os.path.lexists(path)


def test_a_disk_that_fails_leaves_the_file_in_the_inbox(place: IntakePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    path = place.drop()
    monkeypatch.setattr("watcher.intake.os.fsync", fails)
    with pytest.raises(FileError):
        place.intake.stage(str(path), path.lstat(), Priority.SCANS, None)
    assert path.exists()
    assert place.in_incoming() == []


def test_a_store_that_is_away_is_not_made_anew(place: IntakePlace) -> None:
    path = place.drop()
    place.store.root.rename(place.store.root.with_name("away"))
    with pytest.raises(StoreError, match="LUNGLINE_STORE"):
        place.stage(path)
    assert path.exists()
    assert not place.store.root.exists()
    place.store.root.with_name("away").rename(place.store.root)
    assert place.entering.enter([place.stage(path)]) == [Outcome.ACCEPTED]


def test_a_watcher_that_starts_without_its_store_waits_for_it(place: IntakePlace) -> None:
    place.entering.enter([place.stage(place.drop())])
    place.intake.close()
    away = place.store.root.with_name("away")
    place.store.root.rename(away)
    place.store.root.mkdir()  # the mount point, as `lungline up` would make it
    waited = []

    class Mounting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(list(place.store.root.iterdir()))
            place.store.root.rmdir()
            away.rename(place.store.root)
            return False

    _, _, leftovers = place.watcher()
    assert until_possible(leftovers.begin, Mounting()) == 0
    assert waited == [[]]
    assert place.stored() == ["a.png"]


def test_bytes_that_cannot_be_put_in_place_are_kept(place: IntakePlace) -> None:
    staged = [place.stage(place.drop("a.png", b"first")), place.stage(place.drop("b.png", b"second"))]
    in_the_way = place.store.folder(str(staged[1].drop.sha256)) / "b.png"
    in_the_way.mkdir(parents=True)
    assert place.entering.enter(staged) == [Outcome.ACCEPTED] * 2
    assert place.stored(b"first") == ["a.png"]
    assert place.leftovers.finish() == 0
    in_the_way.rmdir()
    assert place.leftovers.finish() == 1  # as the running watcher does every quarter of a minute
    assert place.stored(b"second") == ["b.png"]
    assert place.counts() == (2, 2, 0, 0)
    assert place.in_incoming() == []


def test_an_unreadable_file_is_refused(place: IntakePlace) -> None:
    path = place.drop()
    path.chmod(0)
    for folder in (place.inbox, place.inbox.parent):
        folder.chmod(0o777)
    with place.stranger():  # who may move from there, but not read
        staged = place.stage(path)
    assert staged.reason is Reason.UNREADABLE
    place.entering.enter([staged])
    assert place.counts() == (1, 0, 0, 1)


def test_a_file_that_may_be_read_but_not_taken_away_counts_once(place: IntakePlace) -> None:
    place.restarted(limits=Limits(unsure=0.0))
    path = place.drop()
    path.chmod(0o644)
    place.inbox.chmod(0o1777)
    with place.stranger():
        for _ in range(2):
            place.entering.enter([place.stage(path)])
        assert place.intake.held.tend() == []
    assert path.exists()
    assert place.counts() == (1, 1, 0, 0)
    assert place.in_incoming() == []
