"""What a reader finds while a file is replaced, and after the process that replaced it was killed or met a full disk."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lungline.durable import copy_into_place, create_text, replace_bytes, replace_text, replacing

_OLD, _NEW = b"old" * 1000, b"new" * 2000
# Child after child in a folder of its own, each ended at a later line of lungline/durable.py than the one before, as if it were killed.
_KILLED_AT_EACH_LINE = """
import os, shutil, sys
from pathlib import Path
from lungline import durable

before, source, places, step = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
number, ended = 0, 9
while ended == 9:
    number += 1
    target = places / f"{number:03}" / "target"
    shutil.copytree(before, target.parent)
    child = os.fork()
    if child == 0:
        left = number
        def trace(frame, event, argument):
            global left
            if frame.f_code.co_filename != durable.__file__:
                return None
            left -= 1
            if left == 0:
                os._exit(9)
            return trace
        sys.settrace(trace)
        eval(step)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(ended)
"""


def left_by_kills_at_each_line(tmp_path: Path, before: Path, source: Path, step: str) -> list[dict[str, bytes]]:
    """What each killed child, and at last one that was not killed, left: the files at and below the target, by their names."""
    places = tmp_path / "places"
    command = [sys.executable, "-c", _KILLED_AT_EACH_LINE, str(before), str(source), str(places), step]
    subprocess.run(command, check=True, timeout=60)
    return [
        {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file() and ".part" not in str(path)}
        for place in sorted(places.iterdir())
    ]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """What is there before, and what it is replaced by."""
    folders = tmp_path / "before", tmp_path / "source"
    for folder in folders:
        folder.mkdir()
    return folders


@pytest.fixture
def file_size_limited() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))  # as good as a full disk
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_kill_at_any_line_leaves_the_old_or_the_new_text(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    before, source = folders
    (before / "target").write_bytes(_OLD)
    (source / "text").write_bytes(_NEW)
    left = left_by_kills_at_each_line(tmp_path, before, source, "durable.replace_text(target, (source / 'text').read_text())")
    olds = left.index({"target": _NEW})
    assert left == [{"target": _OLD}] * olds + [{"target": _NEW}] * (len(left) - olds)
    assert olds > 10


def test_kill_at_any_line_leaves_no_part_of_a_first_file(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    before, source = folders
    (source / "text").write_bytes(_NEW)
    left = left_by_kills_at_each_line(tmp_path, before, source, "durable.create_text(target, (source / 'text').read_text())")
    nones = left.index({"target": _NEW})
    assert left == [{}] * nones + [{"target": _NEW}] * (len(left) - nones)
    assert nones > 5


def test_kill_at_any_line_leaves_no_part_of_a_folder(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    before, source = folders
    (source / "below").mkdir()
    for name in ("a", "below/b"):
        (source / name).write_bytes(_NEW)
    left = left_by_kills_at_each_line(tmp_path, before, source, "durable.copy_into_place(source, target)")
    whole = {"target/a": _NEW, "target/below/b": _NEW}
    nones = left.index(whole)
    assert left == [{}] * nones + [whole] * (len(left) - nones)
    assert nones > 10


@pytest.mark.usefixtures("file_size_limited")
def test_full_disk_leaves_the_old_text_and_no_draft(place: Path) -> None:
    target = place / "target"
    target.write_bytes(_OLD)
    with pytest.raises(OSError, match="too large"):
        replace_bytes(target, _NEW)
    assert target.read_bytes() == _OLD
    with pytest.raises(OSError, match="too large"):
        create_text(place / "other", _NEW.decode())
    assert list(place.iterdir()) == [target]


def test_block_that_raises_leaves_the_old_file_and_no_draft(place: Path) -> None:
    target = place / "target"
    target.write_bytes(_OLD)
    with suppress(ValueError), replacing(target) as draft:
        draft.write_bytes(_NEW[:10])
        raise ValueError
    with suppress(ValueError), replacing(place / "folder") as draft:
        draft.mkdir()
        (draft / "a").write_bytes(_NEW)
        raise ValueError
    assert target.read_bytes() == _OLD
    assert list(place.iterdir()) == [target]


def test_folder_never_takes_the_place_of_a_full_one(place: Path) -> None:
    source, target = place / "source", place / "target"
    for folder, data in ((source, _NEW), (target, _OLD)):
        folder.mkdir()
        (folder / "a").write_bytes(data)
    with pytest.raises(OSError, match="not empty"):
        copy_into_place(source, target)
    assert (target / "a").read_bytes() == _OLD
    assert sorted(place.iterdir()) == [source, target]


def test_data_is_synced_before_the_rename_and_folder_after(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target, steps = place / "source", place / "target", list[str]()
    source.mkdir()
    (source / "a").write_bytes(_NEW)
    sync, rename = os.fsync, os.replace

    def noted_sync(descriptor: int) -> None:
        steps.append("sync " + Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.removeprefix(".").split(".")[0])
        sync(descriptor)

    def noted_rename(draft: Path, place: Path) -> None:
        steps.append("rename")
        rename(draft, place)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_rename)
    replace_text(place / "text", "new")
    assert steps == ["sync text", "rename", f"sync {place.name}"]
    steps.clear()
    copy_into_place(source, target)
    assert steps == ["sync a", "sync target", "rename", f"sync {place.name}"]


def test_first_of_several_writers_wins(place: Path) -> None:
    create_text(place / "key", "first", mode=0o600)
    create_text(place / "key", "second", mode=0o600)
    assert (place / "key").read_text() == "first"
    assert [(path.name, path.stat().st_mode & 0o777) for path in place.iterdir()] == [("key", 0o600)]


def test_mode_is_that_of_the_new_file_alone(place: Path) -> None:
    target = place / "secret"
    target.write_text("old")
    target.chmod(0o644)
    replace_text(target, "caf\udce9", mode=0o600)
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.read_bytes() == b"caf\xe9"


def test_drafts_that_were_abandoned_go_after_a_day(place: Path) -> None:
    theirs = place / ".film.part"
    theirs.write_bytes(_OLD)
    with suppress(FileNotFoundError), replacing(place / "folder") as folder, replacing(place / "file") as file:
        folder.mkdir()
        file.write_bytes(_NEW)
        replace_text(place / "target", "new")
        assert folder.exists()  # somebody may be at it
        assert file.exists()
        for path in (folder, file, theirs):
            os.utime(path, (time.time() - 90_000, time.time() - 90_000))
        replace_text(place / "target", "new")
    assert sorted(path.name for path in place.iterdir()) == [".film.part", "target"]
