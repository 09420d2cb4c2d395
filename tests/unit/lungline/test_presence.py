"""A slot belongs to one live process, and the kernel frees it when that process dies."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lungline.errors import AlreadyRunningError
from lungline.presence import Presence, live

_HOLDER = """
import sys, time; from pathlib import Path; from lungline.presence import Presence
presence = Presence.take(Path(sys.argv[1]), "inference-0"); presence.tell(ready=True)
print("taken", flush=True); time.sleep(60)
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def holder(run: Path) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen([sys.executable, "-c", _HOLDER, str(run)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    yield process
    process.kill()
    process.wait(10)


def test_nothing_lives_in_a_home_that_never_ran(run: Path) -> None:
    assert live(run) == {}


def test_a_slot_is_taken_told_and_left(run: Path) -> None:
    presence = Presence.take(run, "watch")
    assert live(run) == {"watch": (os.getpid(), False)}
    presence.tell(ready=True)
    assert live(run) == {"watch": (os.getpid(), True)}
    presence.leave()
    assert live(run) == {}


def test_a_second_taker_is_refused_and_the_first_stays(run: Path) -> None:
    first = Presence.take(run, "up")
    first.tell(ready=True)
    with pytest.raises(AlreadyRunningError, match="lungline status"):
        Presence.take(run, "up")
    assert live(run) == {"up": (os.getpid(), True)}
    first.leave()


def test_slots_of_other_names_and_homes_are_free(run: Path, tmp_path: Path) -> None:
    taken = [Presence.take(run, "watch"), Presence.take(run, "flower"), Presence.take(tmp_path / "other", "watch")]
    assert set(live(run)) == {"watch", "flower"}
    for presence in taken:
        presence.leave()


def test_the_supervisor_may_hold_a_slot_for_another_pid(run: Path) -> None:
    presence = Presence.take(run, "redis", pid=4711)
    presence.tell(ready=True, pid=4711)
    assert live(run) == {"redis": (4711, True)}
    presence.leave()


def test_another_process_is_seen_and_keeps_its_slot(run: Path, holder: "subprocess.Popen[str]") -> None:
    assert live(run) == {"inference-0": (holder.pid, True)}
    with pytest.raises(AlreadyRunningError):
        Presence.take(run, "inference-0")


def test_a_killed_process_is_gone_at_once_and_its_slot_free(run: Path, holder: "subprocess.Popen[str]") -> None:
    holder.kill()
    holder.wait(10)
    assert live(run) == {}
    presence = Presence.take(run, "inference-0")
    assert live(run) == {"inference-0": (os.getpid(), False)}
    presence.leave()


def test_looking_does_not_stand_in_the_way_of_a_start(run: Path) -> None:
    """`live` tries each lock for a moment; a process that starts at that very moment must not be refused."""
    Presence.take(run, "watch").leave()
    with _looking(run):
        for _ in range(100):
            Presence.take(run, "watch").leave()


def test_a_process_that_tells_something_is_never_missed(run: Path) -> None:
    presence = Presence.take(run, "watch")
    stop = threading.Event()

    def tell() -> None:
        while not stop.is_set():
            presence.tell(ready=False)
            presence.tell(ready=True)

    telling = threading.Thread(target=tell)
    telling.start()
    try:
        assert all(live(run).keys() == {"watch"} for _ in range(2000))
    finally:
        stop.set()
        telling.join(10)
        presence.leave()


@contextmanager
def _looking(run: Path) -> Iterator[None]:
    program = (
        f"from pathlib import Path; from lungline.presence import live\nprint('looks', flush=True)\nwhile True: live(Path({str(run)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "looks\n"
    try:
        yield
    finally:
        process.kill()
        process.wait(10)
