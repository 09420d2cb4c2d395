"""The supervisor with real processes, asked to stop, killed, and with children that die, hang and leave orphans."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lungline.presence import live
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans can be found and ended on Linux alone")

_DRIVER = """
import os, sys
from pathlib import Path
from supervisor.child import Child
from supervisor.supervisor import Supervisor
from lungline import log
folder = Path(sys.argv[1])
log.configure("up")
supervisor = Supervisor(folder / "run", folder / "logs")
def start(name, code, **options):
    supervisor.add(Child(name, lambda: [sys.executable, "-c", code, str(folder)], **options))
{children}
print("started", flush=True)
while supervisor.tend(0.1):
    pass
supervisor.stop(patience_seconds=3)
"""
_SLEEP = "import time; time.sleep(600)"
# A grandchild in a session of its own, as a daemon makes itself; it says its number.
_WITH_DAEMON = """
import subprocess, sys, time
daemon = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)
open(sys.argv[1] + '/daemon', 'w').write(str(daemon.pid))
time.sleep(600)
"""


class Driver:
    """A supervisor in a process of its own."""

    def __init__(self, folder: Path, children: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._errors = (folder / "errors").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", _DRIVER.replace("{children}", children), str(folder)],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "started\n"

    @property
    def said(self) -> str:
        return (self.folder / "errors").read_text()

    def lines(self) -> list[dict[str, Any]]:
        """What it logged, JSON a line."""
        return [json.loads(line) for line in self.said.splitlines() if line.startswith("{") and line.endswith("}")]

    def children(self) -> set[int]:
        return {int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()}

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(30)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self._errors.close()


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    drivers = []

    def start(children: str, name: str = "one") -> Driver:
        drivers.append(Driver(tmp_path / name, children))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.close()


def test_dead_process_restarts_after_growing_pauses(drive: Callable[..., Driver]) -> None:
    driver = drive(f"start('frail', 'import sys; sys.exit(3)'); start('sound', {_SLEEP!r})")
    sound = wait_for(driver.children)
    wait_for(lambda: driver.said.count("process ended") >= 4)
    ends = [line for line in driver.lines() if (line["event"], line.get("name"), line.get("exit")) == ("process ended", "frail", 3)]
    assert [line["starts_again_in_seconds"] for line in ends[:4]] == [1, 2, 4, 8]
    times = [datetime.fromisoformat(line["timestamp"]).timestamp() for line in ends[:4]]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(gap >= pause for gap, pause in zip(gaps, (1, 2, 4), strict=True))
    assert sound & driver.children()
    assert driver.end() == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_each_way_of_asking_it_to_stop_ends_all(how: signal.Signals, drive: Callable[..., Driver]) -> None:
    driver = drive(f"start('a', {_SLEEP!r}); start('b', {_WITH_DAEMON!r})")
    pids = driver.children() | {_daemon_of(driver)}
    assert len(pids) == 3
    assert driver.end(how) == 0
    assert not _alive(pids)


def test_nohup_is_heeded(drive: Callable[..., Driver]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        driver = drive(f"start('a', {_SLEEP!r})")
    finally:
        signal.signal(signal.SIGHUP, before)
    driver.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert driver.process.poll() is None
    assert driver.end() == 0


def test_who_does_not_want_to_end_is_killed(drive: Callable[..., Driver]) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    driver = drive(f"start('stubborn', {stubborn!r})")
    wait_for(lambda: (driver.folder / "logs" / "stubborn.log").read_text())
    pids = driver.children()
    began = time.monotonic()
    assert driver.end() == 0
    assert 3 <= time.monotonic() - began < 6
    assert not _alive(pids)


def test_a_killed_childs_orphans_go_with_it(drive: Callable[..., Driver]) -> None:
    driver = drive(f"start('parent', {_WITH_DAEMON!r})")
    orphan = _daemon_of(driver)
    (parent,) = driver.children()
    os.kill(parent, signal.SIGKILL)
    wait_for(lambda: not _alive({parent, orphan}))
    assert driver.process.poll() is None
    assert driver.end() == 0


def test_a_killed_supervisor_leaves_none_of_its_children(drive: Callable[..., Driver]) -> None:
    driver = drive(f"start('a', {_SLEEP!r}); start('b', {_SLEEP!r})")
    pids = driver.children()
    assert len(pids) == 2
    driver.end(signal.SIGKILL)
    wait_for(lambda: not _alive(pids))


def test_the_base_is_stopped_last(drive: Callable[..., Driver]) -> None:
    tells = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep(0.3); open(sys.argv[1] + '/order', 'a').write('{0} '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('listens', flush=True); time.sleep(600)"
    )
    driver = drive(f"start('base', {tells.format('base')!r}, base=True); start('other', {tells.format('other')!r})")
    wait_for(lambda: (driver.folder / "logs" / "base.log").read_text() and (driver.folder / "logs" / "other.log").read_text())
    assert driver.end() == 0
    assert (driver.folder / "order").read_text().split() == ["other", "base"]


def test_others_restart_when_the_broker_comes_back_elsewhere(drive: Callable[..., Driver]) -> None:
    driver = drive(
        "ports = iter(range(1000, 2000))\n"
        f"supervisor.add(Child('base', lambda: [sys.executable, '-c', {_SLEEP!r}, str(next(ports))], base=True))\n"
        f"start('other', {_SLEEP!r})"
    )
    commands = {Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[-2]: pid for pid in driver.children()}
    base = commands.pop(b"1000")
    (other,) = commands.values()
    os.kill(base, signal.SIGKILL)
    wait_for(lambda: any(line.get("name") == "other" for line in driver.lines()))
    assert not _alive({other})
    wait_for(lambda: len(driver.children()) == 2)
    assert driver.end() == 0


def test_supervisor_announces_programs_that_are_not_ours(drive: Callable[..., Driver]) -> None:
    driver = drive(f"start('redis', {_SLEEP!r}, probe=lambda: (folder / 'answers').exists())")
    (pid,) = driver.children()
    run = driver.folder / "run"
    assert live(run) == {"redis": (pid, False)}
    (driver.folder / "answers").touch()
    wait_for(lambda: live(run) == {"redis": (pid, True)})
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: "redis" not in live(run))
    wait_for(lambda: live(run).get("redis", (pid, False))[0] != pid)
    assert driver.end() == 0
    assert live(run) == {}


def test_two_supervisors_do_not_mind_each_other(drive: Callable[..., Driver]) -> None:
    first, second = drive(f"start('a', {_SLEEP!r})"), drive(f"start('a', {_SLEEP!r})", "two")
    pids = second.children()
    assert first.end() == 0
    assert _alive(pids) == pids
    assert second.end() == 0
    assert not _alive(pids)


def test_a_process_that_cannot_start_is_tried_again(drive: Callable[..., Driver]) -> None:
    driver = drive(
        "program = folder / 'program'; program.write_text('#!/bin/sh\\nexec sleep 600\\n'); program.chmod(0o755)\n"
        "supervisor.add(Child('late', lambda: [str(program)]))"
    )
    (pid,) = driver.children()
    wait_for(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")  # the shell has read the program
    (driver.folder / "program").rename(driver.folder / "away")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: "process cannot start" in driver.said)
    (driver.folder / "away").rename(driver.folder / "program")
    wait_for(driver.children)
    assert driver.end() == 0


def _daemon_of(driver: Driver) -> int:
    return int(wait_for(lambda: (driver.folder / "daemon").exists() and (driver.folder / "daemon").read_text()))


def _alive(pids: set[int]) -> set[int]:
    alive = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            continue
        if state != "Z":
            alive.add(pid)
    return alive
