"""When a file is whole."""

import os
import subprocess
import sys
from pathlib import Path

from watcher.settle import PATIENCE_SECONDS, Settling, has_writer, lacks_end


def status(path: Path) -> os.stat_result:
    return path.lstat()


def test_a_file_settles_after_the_quiet_period(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    settling = Settling(1.0)
    assert not settling.see(str(path), status(path), 10.0)
    assert settling.due(10.9) == []
    assert settling.due(11.0) == [str(path)]
    assert settling.see(str(path), status(path), 11.0)


def test_a_change_starts_the_quiet_period_anew(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    settling = Settling(1.0)
    settling.see(str(path), status(path), 10.0)
    path.write_bytes(b"12")
    assert not settling.see(str(path), status(path), 10.9)
    assert settling.due(11.5) == []
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


def test_an_unfinished_file_is_waited_for_and_then_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    settling = Settling(1.0)
    settling.see(str(path), status(path), 0.0)
    assert settling.patience(str(path), 1.0, PATIENCE_SECONDS)
    assert settling.due(2.0) == [str(path)]
    assert not settling.patience(str(path), PATIENCE_SECONDS, PATIENCE_SECONDS)


def test_a_name_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    settling = Settling(1.0)
    settling.see(str(path), status(path), 0.0)
    settling.keep_only(set())
    assert len(settling) == 0
    assert settling.due(5.0) == []


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
