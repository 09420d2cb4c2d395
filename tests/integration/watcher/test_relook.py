"""Truncated files are looked at again: a sender may have gone on writing into what was taken in."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection, text, update

from db import migrate, status, truncated
from db import scans as scan_states
from db.clock import now
from db.drops import Drop
from db.scans import NewScan
from db.tables import Priority, quarantine
from db.writer import Writer
from lungline.ids import new_id
from lungline.layout import Store
from lungline.reasons import Reason
from lungline.settings import load
from tests.ledger import claim_scan, enter
from watcher.incoming import Incoming
from watcher.relook import relook, replace_held
from workers import failed_reads

_P = ParamSpec("_P")
_T = TypeVar("_T")
HALF, WHOLE = b"half", b"half and the rest"


class StorePlace:
    def __init__(self, database_url: str) -> None:
        settings = load().model_copy(update={"database_url": database_url})
        self.engine = migrate.open_database(settings)
        self.writer = Writer(self.engine)
        self.store = Store(settings.store)
        self.incoming = Incoming(self.store)
        self.incoming.root.mkdir(parents=True)
        self.incoming.take()

    def relook(self, incoming: Incoming | None = None) -> int:
        """As the watcher does, or another one."""
        return relook(self.store, incoming or self.incoming, self.writer)

    def relook_with(self, before: Callable[[], object] = int, after: Callable[[], object] = int) -> int:
        """Calls `before` when the bytes are shared and the ledger does not know of them, and `after` when it does."""

        replace_bytes: object = truncated.replace_bytes

        class Interrupted(Writer):
            def do(self, work: Callable[Concatenate[Connection, _P], _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
                if work is not replace_bytes:
                    return super().do(work, *arguments, **named)
                before()
                changed = super().do(work, *arguments, **named)
                after()
                return changed

        writer = Interrupted(self.engine)
        try:
            return relook(self.store, self.incoming, writer)
        finally:
            writer.close()

    def accept(self, data: bytes) -> str:
        """A file that was taken in, with its bytes in place; its scan."""
        drop = Drop(new_id(), hashlib.sha256(data).hexdigest(), len(data), Priority.SCANS, None)
        folder = self.store.folder(str(drop.sha256))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "name.dcm").write_bytes(data)
        return enter(self.writer, drop)

    def truncated(self, data: bytes = HALF) -> Path:
        """A half file in quarantine, due to be looked at; its path."""
        scan_id = self.accept(data)
        claim = self.writer.do(claim_scan, scan_id, "slot/boot/x")
        assert claim is not None
        self.writer.do(failed_reads.turn_away, claim, Reason.TRUNCATED, "x")
        self.due()
        return self.store.folder(hashlib.sha256(data).hexdigest()) / "name.dcm"

    def due(self) -> None:
        due = update(quarantine).where(quarantine.c.next_look_at.is_not(None)).values(next_look_at=now(-1))
        self.writer.do(lambda connection: connection.execute(due))

    def notes(self) -> list[str]:
        return [path.name for path in self.store.incoming.iterdir() if not path.name.startswith(".")]

    def scalar(self, statement: str) -> object:
        return self.writer.do(lambda connection: connection.scalar(text(statement)))


@pytest.fixture
def place(database_url: str) -> Iterator[StorePlace]:
    place = StorePlace(database_url)
    yield place
    place.incoming.leave()
    place.writer.close()
    place.engine.dispose()


def test_what_was_written_on_is_taken_in_anew(place: StorePlace) -> None:
    path = place.truncated()
    path.write_bytes(WHOLE)
    assert place.relook() == 1
    digest = hashlib.sha256(WHOLE).hexdigest()
    assert place.scalar("SELECT s.sha256 FROM scans s JOIN jobs j ON j.subject = s.id WHERE j.state = 'waiting'") == digest
    assert place.scalar("SELECT bytes FROM files") == len(WHOLE)
    assert place.store.names(digest) == ["name.dcm"]
    assert not path.parent.exists()


def test_what_did_not_change_is_looked_at_twice_and_then_left(place: StorePlace) -> None:
    place.truncated()
    for look_count in (1, 2):
        assert place.relook() == 0
        assert place.scalar("SELECT looks FROM quarantine") == look_count
        place.due()
    assert place.scalar("SELECT count(*) FROM quarantine WHERE next_look_at IS NOT NULL") == 0
    assert place.scalar("SELECT count(*) FROM quarantined_files WHERE released_at IS NULL") == 1


def test_the_whole_file_may_have_come_by_another_way(place: StorePlace) -> None:
    path = place.truncated()
    place.accept(WHOLE)
    path.write_bytes(WHOLE)
    assert place.relook() == 1
    counts = status.counts(place.engine)
    assert (counts["files"], counts["accepted"], counts["duplicates"]) == (2, 1, 1)
    assert (counts["scans"], counts["waiting"], counts["quarantined"]) == (1, 1, 0)


@pytest.mark.parametrize("broken_off", ["before the commit", "after the commit"])
def test_a_crash_leaves_no_bytes_that_the_ledger_does_not_know(place: StorePlace, broken_off: str) -> None:
    path = place.truncated()
    path.write_bytes(WHOLE)

    def killed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.relook_with(before=killed) if broken_off == "before the commit" else place.relook_with(after=killed)
    assert len(list(place.store.root.glob("[0-9a-f][0-9a-f]/*"))) == 2
    place.due()
    place.incoming.leave()  # as its death does
    place.incoming = Incoming(place.store)
    place.incoming.take()
    assert place.relook() == (broken_off == "before the commit")
    stored = {folder.name for folder in place.store.root.glob("[0-9a-f][0-9a-f]/*")}
    assert stored == {place.scalar("SELECT sha256 FROM files")}
    assert place.notes() == []


def test_lost_bytes_are_not_looked_at_for_ever(place: StorePlace) -> None:
    path = place.truncated()
    path.unlink()
    for _ in range(2):
        assert place.relook() == 0
        place.due()
    assert place.scalar("SELECT count(*) FROM quarantine WHERE next_look_at IS NOT NULL") == 0


def test_every_frame_of_what_was_written_on_is_taken_in_anew(place: StorePlace) -> None:
    path = place.truncated()
    scan_id, file_id = place.scalar("SELECT id FROM scans"), str(place.scalar("SELECT file_id FROM scans"))
    place.writer.do(scan_states.enter, [NewScan(file_id, path.parent.name, 2, Priority.SCANS, None)])
    second = str(place.scalar(f"SELECT id FROM scans WHERE id <> '{scan_id}'"))
    claim = place.writer.do(claim_scan, second, "slot/boot/x")
    assert claim is not None
    place.writer.do(failed_reads.turn_away, claim, Reason.TRUNCATED, "x")
    place.due()
    path.write_bytes(WHOLE)
    assert place.relook() >= 1
    waiting = "SELECT count(*) FROM scans s JOIN jobs j ON j.subject = s.id AND j.state = 'waiting'"
    assert place.scalar(f"{waiting} WHERE s.sha256 = '{hashlib.sha256(WHOLE).hexdigest()}'") == 2
    assert place.scalar("SELECT count(*) FROM quarantined_files WHERE released_at IS NULL") == 0


def test_what_was_released_meanwhile_is_left_to_its_worker(place: StorePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place.truncated()
    path.write_bytes(WHOLE)
    find = Store.find

    def released(store: Store, sha256: str, file_id: str) -> Path | None:
        quarantine_id = str(place.scalar("SELECT id FROM quarantine"))
        place.writer.do(scan_states.release, quarantine_id)
        return find(store, sha256, file_id)

    monkeypatch.setattr(Store, "find", released)
    assert place.relook() == 0
    assert path.exists()
    assert place.scalar("SELECT sha256 FROM scans") == hashlib.sha256(HALF).hexdigest()
    assert place.store.names(hashlib.sha256(WHOLE).hexdigest()) == []


def test_what_another_watcher_is_just_taking_anew_is_left_to_it(place: StorePlace) -> None:
    place.truncated().write_bytes(WHOLE)
    other = Incoming(place.store)
    other.take()

    def met() -> None:
        place.writer.do(lambda connection: connection.execute(update(quarantine).values(next_look_at=now(60))))
        assert place.relook(other) == 0

    assert place.relook_with(before=met) == 1
    other.leave()
    sha256, file_id = str(place.scalar("SELECT sha256 FROM scans")), str(place.scalar("SELECT file_id FROM scans"))
    path = place.store.find(sha256, file_id)
    assert path is not None
    assert path.read_bytes() == WHOLE
    assert place.notes() == []


def test_one_that_cannot_be_taken_anew_keeps_no_other_from_it(place: StorePlace) -> None:
    for half in (b"1", b"2"):
        place.truncated(half).write_bytes(half + WHOLE)
    in_the_way = place.store.folder(hashlib.sha256(b"1" + WHOLE).hexdigest())
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.touch()

    assert place.relook() == 1
    assert place.relook() == 0  # not at once
    place.due()
    in_the_way.unlink()
    assert place.relook() == 1
    assert place.scalar("SELECT count(*) FROM jobs WHERE kind = 'read' AND state = 'waiting'") == 2
    assert place.notes() == []


def test_bytes_of_a_store_that_is_away_are_not_lost(place: StorePlace) -> None:
    place.truncated().write_bytes(WHOLE)
    away = place.store.root.with_name("away")
    place.store.root.rename(away)
    place.store.root.mkdir()  # its mount point
    assert place.relook() == 0
    assert place.scalar("SELECT looks FROM quarantine") == 0
    place.store.root.rmdir()
    away.rename(place.store.root)
    assert place.relook() == 1


def note(place: StorePlace) -> Path:
    """Of a copy whose original was taken in anew since."""
    path = place.store.incoming / "1.held"
    path.touch()
    return path


def test_copied_half_is_replaced_by_the_whole_file(place: StorePlace) -> None:
    half = place.truncated()
    place.accept(WHOLE)
    held, old, new = note(place), half.parent.name, hashlib.sha256(WHOLE).hexdigest()
    replace_held(place.store, place.incoming, place.writer, held, old, new)
    counts = status.counts(place.engine)
    assert (counts["files"], counts["accepted"], counts["duplicates"]) == (2, 1, 1)
    assert (counts["scans"], counts["waiting"], counts["quarantined"]) == (1, 1, 0)
    assert not half.parent.exists()
    assert place.notes() == []


def test_copied_half_not_yet_read_is_left_and_marked(place: StorePlace) -> None:
    place.accept(HALF)
    held, old, new = note(place), hashlib.sha256(HALF).hexdigest(), hashlib.sha256(WHOLE).hexdigest()
    for _ in range(2):  # before the whole is entered, and after
        replace_held(place.store, place.incoming, place.writer, held, old, new)
        assert held.exists()
        place.accept(WHOLE)
    assert place.scalar("SELECT count(*) FROM jobs WHERE kind = 'read' AND state = 'waiting'") == 2
