"""The watcher's loop where it is told to stop, or has no database."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lungline.presence import Presence, live
from lungline.settings import PREFIX, load
from tests.waiting import wait_for
from watcher import watch
from watcher.limits import Limits
from watcher.watch import Watcher


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}BROKER_URL", "redis://127.0.0.1:1/0")


@pytest.fixture
def handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGIO)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_a_signal_may_come_at_any_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = []

    def interrupted(watcher: Watcher, _: Presence) -> None:
        with watcher._wake._cond:  # type: ignore[attr-defined]  # as `wait`, `set` and `clear` do for a moment
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)
        stopped.append(watcher._stop.wait(10))

    monkeypatch.setattr(Watcher, "run", interrupted)
    watch.run(load())
    assert stopped == [True]


def test_lost_database_does_not_end_a_watcher_with_leftovers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}INTAKE", "leave")
    monkeypatch.setenv(f"{PREFIX}QUIET_SECONDS", "0.05")
    settings = load()
    settings.inbox.mkdir()
    path = settings.inbox / "a.dcm"
    path.write_bytes(b"data")
    watcher = Watcher(settings, Limits())
    watcher._leftovers.begin()
    watcher._sightings.walk(time.monotonic())
    time.sleep(0.1)
    watcher._writer.close()
    watcher._taking.take_in(time.monotonic())
    assert len(watcher._sightings.stability) == 1  # tried again later
    watcher.close()


@pytest.mark.usefixtures("handlers")
def test_a_long_pause_between_walks_ends_when_told_to() -> None:
    settings = load()
    watcher = Watcher(settings, Limits(rescan=60.0, poll=60.0, tend=60.0))
    stopped: list[float] = []

    def stop() -> None:
        wait_for(lambda: live(settings.layout.run).get("watch", (0, False))[1], "watching")
        time.sleep(0.5)  # it rests now
        stopped.append(time.monotonic())
        watcher.stop()

    threading.Thread(target=stop).start()
    watcher.run(Presence.take(settings.layout.run, "watch"))

    assert time.monotonic() - stopped[0] < 20


def test_a_folder_that_was_closed_to_us_leaves_room_for_others(home: Path) -> None:
    settings = load()
    settings.inbox.mkdir()
    (settings.inbox / "a").mkdir()
    (settings.inbox / "a" / "a.dcm").write_bytes(b"data")
    watcher = Watcher(settings, Limits())
    watcher._sightings.walk(0.0)
    assert len(watcher._sightings.stability) == 1
    (settings.inbox / "a").rename(home / "away")
    (settings.inbox / "a").touch()  # no folder any longer: neither there nor gone
    assert watcher._taking.take_in(1.0)
    assert len(watcher._sightings.stability) == 0
    watcher.close()


def test_an_inbox_with_more_than_may_settle_is_walked_in_turns(home: Path) -> None:
    settings = load()
    (settings.inbox / "stat").mkdir(parents=True)
    for number in range(8):
        (settings.inbox / f"{number}.dcm").write_bytes(b"%d" % number)
    (settings.inbox / "stat" / "urgent.dcm").write_bytes(b"urgent")
    watcher = Watcher(settings, Limits(files_max=3))
    watcher._leftovers.begin()
    taken = 0
    while taken < 9:
        watcher._sightings.walk(0.0)
        assert len(watcher._sightings.stability) <= 4
        assert watcher._sightings._has_more == (taken + len(watcher._sightings.stability) < 9)
        assert watcher._taking.take_in(1.0)
        watcher._taking.wait()
        left = sum(path.is_file() for path in settings.inbox.rglob("*"))
        assert left < 9 - taken
        taken = 9 - left
        assert not (settings.inbox / "stat" / "urgent.dcm").exists()
    watcher.close()
