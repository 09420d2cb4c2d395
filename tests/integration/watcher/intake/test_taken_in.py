"""Files taken in, told to be duplicates, or refused, against a real ledger and a real store."""

import hashlib
import os
import tempfile
from pathlib import Path

import pytest

from db.tables import Outcome, Priority
from lungline.layout import FILE_BYTES_MAX
from lungline.reasons import Reason
from tests.integration.watcher.intake.place import IntakePlace
from watcher.limits import Limits


def test_a_file_moves_into_the_store(place: IntakePlace) -> None:
    path = place.drop()
    assert place.entering.enter([place.stage(path)]) == [Outcome.ACCEPTED]
    assert not path.exists()
    assert place.stored() == ["a.png"]
    assert place.in_incoming() == []


def test_a_duplicate_is_a_second_name(place: IntakePlace) -> None:
    for name in ("a.png", "b.png", "b.png"):
        place.entering.enter([place.stage(place.drop(name))])
    assert place.counts() == (3, 1, 2, 0)
    assert place.stored() == ["a.png", "b.png"]
    assert place.in_incoming() == []


def test_duplicates_of_one_batch_are_put_in_place_together(place: IntakePlace) -> None:
    staged = []
    for number in range(60):
        folder = place.inbox / str(number)
        folder.mkdir()
        (folder / f"{number % 20}.png").write_bytes(b"data")
        staged.append(place.stage(folder / f"{number % 20}.png"))
    outcomes = place.entering.enter(staged)
    assert (outcomes[0], outcomes.count(Outcome.DUPLICATE)) == (Outcome.ACCEPTED, 59)
    assert place.counts() == (60, 1, 59, 0)
    assert place.stored() == sorted(f"{number}.png" for number in range(20))
    assert place.in_incoming() == []


def test_a_hard_link_is_copied_and_unlinked(place: IntakePlace) -> None:
    path = place.link()
    place.entering.enter([place.stage(path)])
    place.other.write_bytes(b"changed by its other name")
    assert not path.exists()
    assert (place.store.folder(hashlib.sha256(b"data").hexdigest()) / "a.png").read_bytes() == b"data"


def test_another_file_system_is_copied_from(place: IntakePlace) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == place.inbox.stat().st_dev:
        pytest.skip("no second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        place.inbox = Path(folder)
        _comes_in(place)


def _comes_in(place: IntakePlace) -> None:
    path = place.drop()
    assert place.entering.enter([place.stage(path)]) == [Outcome.ACCEPTED]
    assert not path.exists()
    assert place.stored() == ["a.png"]


def test_what_is_left_in_the_inbox_counts_once(place: IntakePlace) -> None:
    place.restarted("leave")
    path = place.drop()
    place.entering.enter([place.stage(path)])
    assert path.exists()
    assert place.intake.known([(str(path), path.lstat())]) == {str(path)}
    place.entering.enter([place.stage(path)])  # a watcher that did not ask
    assert place.counts() == (1, 1, 0, 0)
    path.write_bytes(b"another picture")
    assert place.intake.known([(str(path), path.lstat())]) == set()


@pytest.mark.parametrize("kind", ["empty", "fifo", "link", "folder_link"])
def test_what_cannot_be_read_is_refused_and_kept(place: IntakePlace, kind: str) -> None:
    path = place.inbox / "a.png"
    if kind == "empty":
        path.touch()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/etc/hostname" if kind == "link" else "/etc")
    staged = place.stage(path)
    assert staged.reason is (Reason.EMPTY if kind == "empty" else Reason.NOT_A_REGULAR_FILE)
    place.entering.enter([staged])
    assert place.counts() == (1, 0, 0, 1)
    assert place.store.refused_names(staged.drop.id) == ["a.png"]
    assert not os.path.lexists(path)


def test_a_file_that_changes_while_it_is_read_is_left_alone(place: IntakePlace) -> None:
    path = place.drop()
    before = path.lstat()
    path.write_bytes(b"more data")
    assert place.intake.stage(str(path), before, Priority.SCANS, None) is None
    assert path.exists()
    assert place.in_incoming() == []


def test_two_links_to_one_file_are_two_drops(place: IntakePlace) -> None:
    paths = [place.link(name) for name in ("a.png", "b.png")]
    staged = [place.stage(path) for path in paths]
    place.entering.enter(staged)  # unlinking the one changes the other's change time
    assert [path.exists() for path in paths] == [False, False]
    assert place.counts() == (2, 1, 1, 0)


def test_original_written_to_after_the_copy_is_left(place: IntakePlace) -> None:
    path = place.link()
    staged, before = place.stage(path), path.stat()
    path.write_bytes(b"DATA")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # and its time set back
    place.entering.enter([staged])
    assert path.read_bytes() == b"DATA"


def test_what_is_larger_than_any_scan_is_refused_unread(place: IntakePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watcher.intake.hashlib.file_digest", None)
    path = place.inbox / "huge.dcm"
    with path.open("wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)
    staged = place.stage(path)
    assert staged.reason is Reason.TOO_LARGE
    assert place.entering.enter([staged]) == [Outcome.REFUSED]
    assert place.store.refused_names(staged.drop.id) == ["huge.dcm"]


def test_what_cannot_be_read_for_long_is_refused_unread(place: IntakePlace) -> None:
    path = place.drop()
    staged = place.intake.give_up(str(path), path.lstat(), Priority.SCANS, None, Reason.UNREADABLE)
    assert staged is not None
    assert staged.reason is Reason.UNREADABLE
    assert place.entering.enter([staged]) == [Outcome.REFUSED]
    assert place.store.refused_names(staged.drop.id) == ["a.png"]


@pytest.mark.parametrize(("bytes_", "reason"), [(b"", Reason.EMPTY), (b"data", None)])
def test_file_open_for_writing_elsewhere_is_never_moved(place: IntakePlace, bytes_: bytes, reason: Reason | None) -> None:
    path = place.drop(data=bytes_)
    with path.open("ab") as writer:
        staged = place.stage(path)
        assert staged.reason is reason
        place.entering.enter([staged])
        assert path.stat().st_ino == os.fstat(writer.fileno()).st_ino
        assert place.intake.held.tend() == []
        assert path.exists()
        assert place.store.is_held(staged.drop.id) == (reason is None)
    assert place.intake.held.tend() == []
    assert path.exists() == (reason is not None)  # of what was refused nothing was copied
    assert not place.store.is_held(staged.drop.id)
    place.entering.enter([place.stage(path)] if path.exists() else [])
    assert place.counts() == ((1, 0, 0, 1) if reason else (1, 1, 0, 0))


def test_crash_between_copy_and_row_keeps_the_original(place: IntakePlace) -> None:
    path = place.drop()
    with path.open("ab"):
        place.stage(path)
    place.restarted()
    assert place.intake.held.tend() == []
    assert path.exists()
    place.entering.enter([place.stage(path)])
    assert place.counts() == (1, 1, 0, 0)
    assert place.in_incoming() == []


def test_file_that_may_be_open_is_copied(place: IntakePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("intake", "held", "stability"):
        monkeypatch.setattr(f"watcher.{module}.has_writer", lambda _: None)
    path = place.drop()
    place.entering.enter([place.stage(path)])
    place.intake.held.tend()
    assert path.exists()
    place.restarted(limits=Limits(unsure=0.0))
    place.intake.held.tend()
    assert not path.exists()
    assert place.stored() == ["a.png"]
    assert place.in_incoming() == []
