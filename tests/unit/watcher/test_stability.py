"""When a file is whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from watcher.limits import Limits
from watcher.stability import TAIL_BYTES, StabilityTracker, has_hole, has_writer, lacks_end, patience_seconds


def status(path: Path) -> os.stat_result:
    return path.lstat()


def test_a_file_settles_after_the_quiet_period(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    tracker = StabilityTracker(1.0, Limits())
    assert not tracker.see(str(path), status(path), 10.0)
    assert tracker.due(10.9, 9) == []
    assert tracker.due(11.0, 9) == [str(path)]
    assert tracker.see(str(path), status(path), 11.0)


def test_a_change_starts_the_quiet_period_anew(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    tracker = StabilityTracker(1.0, Limits())
    tracker.see(str(path), status(path), 10.0)
    path.write_bytes(b"12")
    assert not tracker.see(str(path), status(path), 10.9)
    assert tracker.due(11.5, 9) == []
    assert tracker.next_due() == 11.9


def test_writer_that_sets_mtime_back_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    before = path.stat()
    tracker = StabilityTracker(1.0, Limits())
    tracker.see(str(path), status(path), 10.0)
    path.write_bytes(b"2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not tracker.see(str(path), status(path), 11.0)


def test_an_unfinished_file_is_due_again_soon(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    tracker = StabilityTracker(1.0, Limits())
    tracker.see(str(path), status(path), 0.0)
    tracker.note_unfinished(str(path), 1.0)
    assert tracker.due(2.0, 9) == [str(path)]
    assert tracker.age(str(path), 2.0) == 2.0


def test_urgent_files_are_due_first(tmp_path: Path) -> None:
    tracker = StabilityTracker(1.0, Limits())
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
        tracker.see(name, status(tmp_path / name), 0.0, urgent=name == "c")
    assert tracker.due(1.0, 2) == ["c", "a"]
    assert tracker.due(1.0, 2) == ["b"]


def test_there_is_room_for_so_many_and_then_for_urgent_ones(tmp_path: Path) -> None:
    tracker = StabilityTracker(1.0, Limits(files_max=2))
    for name in ("a", "b"):
        assert tracker.has_room(urgent=False)
        tracker.see(name, tmp_path.lstat(), 0.0)
    assert not tracker.has_room(urgent=False)
    assert tracker.has_room(urgent=True)
    tracker.forget("a")
    assert tracker.has_room(urgent=False)
    assert "a" not in tracker
    assert tracker.due(5.0, 9) == ["b"]


def test_unreadable_file_is_tried_ever_less_and_given_up(tmp_path: Path) -> None:
    tracker = StabilityTracker(1.0, Limits())
    at, tries = 0.0, 0
    tracker.see("a", tmp_path.lstat(), at)
    at = 1.0
    assert tracker.due(at, 9) == ["a"]
    while not tracker.note_failure("a", at):
        due = tracker.next_due()
        assert due is not None
        assert tracker.due(due, 9) == ["a"]
        at, tries = due, tries + 1
    assert 600 <= at < 700
    assert tries < 25


def test_paused_watcher_gives_no_file_up_when_it_wakes(tmp_path: Path) -> None:
    tracker = StabilityTracker(1.0, Limits())
    tracker.see("a", tmp_path.lstat(), 0.0)

    assert not tracker.note_failure("a", 1.0)

    assert not tracker.note_failure("a", 5000.0)  # the process was stopped in between, and could not try


def test_end_marks(tmp_path: Path) -> None:
    def lacks(data: bytes) -> bool:
        path = tmp_path / "x"
        path.write_bytes(data)
        with path.open("rb") as file:
            return lacks_end(file.fileno(), len(data))

    png, jpeg = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"
    assert lacks(png + bytes(9000))
    assert not lacks(png + bytes(9000) + b"\0\0\0\0IEND\xaeB`\x82")
    assert lacks(jpeg + bytes(9000))
    assert not lacks(jpeg + bytes(9000) + b"\xff\xd9")
    assert not lacks(jpeg + bytes(9000) + b"\xff\xd9" + bytes(100))  # some devices pad
    assert not lacks(bytes(128) + b"DICM")
    assert lacks(bytes(128) + b"DICM" + b"pixels" + bytes(TAIL_BYTES))
    assert not lacks(bytes(128) + b"DICM" + b"pixels" + bytes(TAIL_BYTES - 1))


@pytest.mark.parametrize("how", ["sparse", "reserved", "hole in the middle", "whole"])
def test_a_part_that_was_never_written_is_seen(tmp_path: Path, how: str) -> None:
    path, half = tmp_path / "x", os.urandom(1 << 20)
    with path.open("wb") as file:
        if how == "sparse":
            file.truncate(4 << 20)
        elif how == "reserved":
            os.posix_fallocate(file.fileno(), 0, 4 << 20)
        file.write(half)
        if how == "hole in the middle":
            file.seek(3 << 20)
            file.write(half)
    with path.open("rb") as file:
        assert has_hole(file.fileno(), path.stat().st_size) == (how != "whole")
        assert patience_seconds(file.fileno(), path.stat().st_size, Limits()) == (0.0 if how == "whole" else Limits().patience)
        assert file.read() == path.read_bytes()


def test_a_writer_in_another_process_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "x"
    code = "import sys\nfile = open(sys.argv[1], 'w')\nfile.write('x')\nfile.flush()\nprint('open', flush=True)\nsys.stdin.read()"
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    with path.open("rb") as file:
        assert has_writer(file.fileno()) is True
        writer.communicate(b"", timeout=20)
        assert has_writer(file.fileno()) is False


def test_unknown_writers_stay_unknown(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x")
    with path.open("rb") as file, path.open("ab"):
        assert has_writer(file.fileno(), lambda _: True) is None  # NFS refuses leases that its server does not grant
        assert has_writer(file.fileno(), lambda _: False) is True
