"""A process that was stopped (SIGSTOP, a suspended machine) for longer than any patience, and wakes: nothing that is well is ended."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from celery import Celery

from jobs.app import make_app
from jobs.kinds import READ
from jobs.queues import ring
from lungline.settings import load

# Patience is a second (of a reader three) and the pause lasts longer; what was silent speaks up half a second after the process woke.
_WATCHES = """
import signal, sys, threading
from types import SimpleNamespace
from lungline.settings import load
from jobs import consumer
from jobs.app import make_app
from workers import inference
ended, hands, batcher = threading.Event(), SimpleNamespace(begun=0, busy=0), SimpleNamespace(under_way=1)
def answer():
    hands.begun, batcher.under_way = 1, None
    ended.set()
signal.signal(signal.SIGCONT, lambda *_: threading.Timer(0.5, answer).start())
watch = {
    "deafness": lambda: consumer.mind_deafness(make_app(load()), ("scans",), (hands,), 0.1, 1.0),
    "hanging": lambda: inference.mind_hanging(batcher, 0.1, 1.0),
}[sys.argv[1]]()
watch.start()
print("ready", flush=True)
while not ended.wait(0.05):
    pass
watch.stop()
"""
_ASSESSES = """
import time
from types import SimpleNamespace
from lungline.settings import load
from jobs.app import make_app
from jobs.consumer import mind_deafness
reader, assessor = SimpleNamespace(begun=0, busy=0), SimpleNamespace(begun=0, busy=0)
watch = mind_deafness(make_app(load()), ("scans",), (reader, assessor), 0.1, 1.0)
watch.start()
until = time.monotonic() + 2.5
while time.monotonic() < until:
    assessor.begun += 1
    time.sleep(0.02)
watch.stop()
"""
_READS = """
from imaging.isolate import ReaderPool
pool = ReaderPool("tests.integration.jobs.test_paused:slowly", 1, timeout=3.0, memory_bytes=1 << 30)
print("ready", flush=True)
print(pool.run("read"), flush=True)
pool.close()
"""


def slowly(word: str) -> str:
    for _ in range(15):
        time.sleep(0.1)  # in steps, as work goes: none of them is done during a pause
    return word


def pause(process: "subprocess.Popen[str]", seconds: float) -> None:
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGCONT)


def started(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True)


@pytest.fixture
def app(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> Celery:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", broker_url)
    return make_app(load())


def end(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)


@pytest.mark.parametrize("watch", ["deafness", "hanging"])
def test_a_worker_that_wakes_is_neither_deaf_nor_hanging(watch: str, app: Celery) -> None:
    ring(app, READ.task, "waits", "scans")
    process = started(_WATCHES, watch)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        pause(process, 2.0)
        assert process.wait(20) == 0
    finally:
        end(process)


def test_a_worker_busy_with_other_doorbells_is_not_deaf(app: Celery) -> None:
    ring(app, READ.task, "waits", "scans")  # behind the others, longer than the patience
    process = started(_ASSESSES)
    try:
        assert process.wait(20) == 0
    finally:
        end(process)


def test_a_reader_that_was_paused_with_its_worker_is_not_late() -> None:
    process = started(_READS)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        pause(process, 4.0)
        assert process.stdout.readline() == "read\n"
    finally:
        end(process)


@pytest.mark.parametrize("watch", ["deafness", "hanging"])
def test_a_silence_without_a_pause_ends_it(watch: str, app: Celery) -> None:
    ring(app, READ.task, "waits", "scans")
    process = started(_WATCHES, watch)
    try:
        assert process.wait(20) == {"deafness": 70, "hanging": 71}[watch]
    finally:
        end(process)
