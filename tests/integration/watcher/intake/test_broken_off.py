"""Intake broken off at every step that a crash could find it at, and gone on with by the next, or by another watcher."""

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.tables import Outcome
from db.writer import Writer
from lungline.errors import LedgerError
from lungline.settings import load
from tests.integration.watcher.intake.place import IntakePlace
from watcher.entering import enter_rows
from watcher.limits import USUAL
from watcher.watch import Watcher


def test_a_crash_before_the_row_is_finished_at_the_next_start(place: IntakePlace) -> None:
    place.stage(place.drop())
    place.restarted()
    assert place.counts() == (1, 1, 0, 0)
    assert place.stored() == ["a.png"]
    assert place.in_incoming() == []


def test_a_crash_after_the_row_is_finished_at_the_next_start(place: IntakePlace) -> None:
    staged = place.stage(place.drop())
    place.writer.do(enter_rows, [staged])
    assert place.store.find(str(staged.drop.sha256), staged.drop.id) is not None  # a worker may be quicker than the move
    place.restarted()
    assert place.counts() == (1, 1, 0, 0)
    assert place.stored() == ["a.png"]


@pytest.mark.parametrize("after_row", [False, True])
def test_a_crash_while_copying_counts_once(place: IntakePlace, after_row: bool) -> None:
    path = place.link()
    staged = place.stage(path)
    if after_row:
        place.writer.do(enter_rows, [staged])
    place.restarted()
    if path.exists():
        place.entering.enter([place.stage(path)])
    assert place.counts() == (1, 1, 0, 0)
    assert place.stored() == ["a.png"]
    assert not path.exists()
    assert place.in_incoming() == []


def test_a_lost_database_loses_nothing(place: IntakePlace) -> None:
    staged = place.stage(place.drop())
    place.writer.close()
    with pytest.raises(LedgerError):
        place.entering.enter([staged])
    place.writer = Writer(place.engine)
    place.restarted()
    assert place.counts() == (1, 1, 0, 0)


def test_file_that_another_watcher_is_staging_is_kept(place: IntakePlace, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_what_another_living_watcher_is_copying_is_left_to_it(place: IntakePlace) -> None:
    path = place.link()
    staged = place.stage(path)
    second, _, leftovers = place.watcher()
    assert leftovers.begin() == 0
    assert place.entering.enter([staged]) == [Outcome.ACCEPTED]
    assert place.stored() == ["a.png"]
    assert not path.exists()
    lost = place.stage(place.drop("b.png", b"more"))
    place.intake.close()  # as its death does
    assert leftovers.finish() == 1
    second.close()
    assert place.stored(b"more") == ["b.png"]
    assert place.store.find(str(lost.drop.sha256), lost.drop.id) is not None
    assert place.counts() == (2, 2, 0, 0)


def test_lost_bytes_dropped_anew_are_found_while_still_staged(place: IntakePlace) -> None:
    first = place.stage(place.drop())
    place.entering.enter([first])
    shutil.rmtree(place.store.folder(str(first.drop.sha256)))
    repeated = place.stage(place.drop("b.png"))
    assert place.writer.do(enter_rows, [repeated]) == [Outcome.DUPLICATE]
    found = place.store.find(str(first.drop.sha256), first.drop.id)
    assert found is not None
    assert found.read_bytes() == b"data"
    place.restarted()
    assert place.stored() == ["b.png"]


def test_what_cannot_be_finished_keeps_nobody_waiting(place: IntakePlace) -> None:
    place.stage(place.drop())
    (place.store.incoming / "put here by hand").mkdir()
    place.restarted()
    assert place.counts() == (1, 1, 0, 0)


def test_leftovers_are_finished_after_a_full_disk_at_start(place: IntakePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.stage(place.drop())
    place.intake.close()
    synced = []

    def full_at_first(folder: Path) -> None:
        synced.append(folder)
        if len(synced) == 1:
            raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("watcher.entering.sync_folder", full_at_first)
    watcher = Watcher(load(), USUAL)
    watcher._leftovers.begin()
    assert place.counts() == (0, 0, 0, 0)
    watcher._tend()
    watcher.close()
    assert place.counts() == (1, 1, 0, 0)
    assert place.stored() == ["a.png"]
    assert place.in_incoming() == []


def test_leftovers_are_finished_after_a_stale_store_at_start(place: IntakePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.stage(place.drop())

    def away(_: Path) -> None:
        raise OSError(errno.ESTALE, "stale file handle")

    monkeypatch.setattr("watcher.entering.sync_folder", away)
    place.restarted()
    monkeypatch.undo()
    assert place.counts() == (0, 0, 0, 0)
    assert [place.leftovers.finish() for _ in range(2)] == [1, 0]
    assert place.counts() == (1, 1, 0, 0)
