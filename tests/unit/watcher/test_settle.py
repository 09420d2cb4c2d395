"""When a file is whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from watcher import settle
from watcher.settle import Settling, has_writer, lacks_end


def status(path: Path) -> os.stat_result:
    return path.lstat()


def test_a_file_settles_after_the_quiet_period(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    settling = Settling(1.0)
    assert not settling.see(str(path), status(path), 10.0)
    assert settling.due(10.9, 9) == []
    assert settling.due(11.0, 9) == [str(path)]
    assert settling.see(str(path), status(path), 11.0)


def test_a_change_starts_the_quiet_period_anew(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    settling = Settling(1.0)
    settling.see(str(path), status(path), 10.0)
    path.write_bytes(b"12")
    assert not settling.see(str(path), status(path), 10.9)
    assert settling.due(11.5, 9) == []
    assert settling.next_due() == 11.9


def test_a_writer_that_sets_the_modification_time_back_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    before = path.stat()
    settling = Settling(1.0)
    settling.see(str(path), status(path), 10.0)
    path.write_bytes(b"2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not settling.see(str(path), status(path), 11.0)


def test_an_unfinished_file_is_due_again_soon(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    settling = Settling(1.0)
    settling.see(str(path), status(path), 0.0)
    settling.not_whole(str(path), 1.0)
    assert settling.due(2.0, 9) == [str(path)]
    assert settling.age(str(path), 2.0) == 2.0


def test_urgent_files_are_due_first(tmp_path: Path) -> None:
    settling = Settling(1.0)
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
        settling.see(name, status(tmp_path / name), 0.0, urgent=name == "c")
    assert settling.due(1.0, 2) == ["c", "a"]
    assert settling.due(1.0, 2) == ["b"]


def test_there_is_room_for_so_many_and_then_for_urgent_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "MOST", 2)
    settling = Settling(1.0)
    for name in ("a", "b"):
        assert settling.has_room(urgent=False)
        settling.see(name, tmp_path.lstat(), 0.0)
    assert not settling.has_room(urgent=False)
    assert settling.has_room(urgent=True)
    settling.forget("a")
    assert settling.has_room(urgent=False)
    assert "a" not in settling
    assert settling.due(5.0, 9) == ["b"]


def test_a_file_that_cannot_be_read_is_tried_less_and_less_and_given_up(tmp_path: Path) -> None:
    settling = Settling(1.0)
    at, tries = 0.0, 0
    settling.see("a", tmp_path.lstat(), at)
    at = 1.0
    assert settling.due(at, 9) == ["a"]
    while not settling.failed("a", at):
        due = settling.next_due()
        assert due is not None
        assert settling.due(due, 9) == ["a"]
        at, tries = due, tries + 1
    assert 600 <= at < 700
    assert tries < 25


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


def test_a_writer_in_another_process_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "x"
    code = "import sys\nfile = open(sys.argv[1], 'w')\nfile.write('x')\nfile.flush()\nprint('open', flush=True)\nsys.stdin.read()"
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    with path.open("rb") as file:
        assert has_writer(file.fileno())
        writer.communicate(b"", timeout=20)
        assert not has_writer(file.fileno())
