"""Celery app, queues and events with a real broker and a real worker process."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery
from celery.events.state import State

from jobs.app import make_app
from jobs.kinds import READ
from jobs.queues import queue_lengths, ring
from lungline.errors import BrokerError
from lungline.settings import load
from tests.servers import Broker
from tests.waiting import wait_for

_Heard = Callable[[], list[dict[str, Any]]]
_WORKER = """
import sys, time
from lungline.settings import load
from jobs.app import make_app
app = make_app(load())
@app.task(name="lungline.read_scan")
def read_scan(scan):
    time.sleep(0.005)
    return "normal " + scan
app.worker_main(["worker", "--pool=threads", "--concurrency=" + sys.argv[1], "--without-mingle", "--without-gossip", "--loglevel=ERROR"])
"""


@pytest.fixture
def broker(fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Broker:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", fresh_broker.url)
    return fresh_broker


@pytest.fixture
def app(broker: Broker) -> Celery:
    return make_app(load())


@pytest.fixture
def work(app: Celery) -> Iterator[Callable[[int], None]]:
    """Starts a worker with so many threads."""
    started = []

    def start(threads: int) -> None:
        started.append(
            subprocess.Popen([sys.executable, "-c", _WORKER, str(threads)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )

    yield start
    for process in started:
        process.kill()
        process.wait(10)


@pytest.fixture
def heard(app: Celery, broker: Broker) -> Iterator[_Heard]:
    """What Flower would hear: tasks as it shows them, in the order of their start."""
    state = State()
    tasks: dict[str, Any] = state.tasks  # type: ignore[attr-defined]  # missing in the stubs
    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": state.event})

        # without a time-out, after which it would subscribe anew and miss what is said meanwhile; it looks at `should_stop` every second
        thread = threading.Thread(target=receiver.capture, kwargs={"limit": None, "timeout": None, "wakeup": False})
        thread.start()
        # the server says so itself: kombu subscribes some time after `on_consume_ready`
        wait_for(lambda: broker.client.pubsub_numpat() > 0, "the subscription", 20)
        yield lambda: [task.as_dict() for task in sorted(tasks.values(), key=lambda task: task.started or 0)]
        receiver.should_stop = True
        thread.join(10)


def test_nothing_but_scan_ids_lies_in_redis(app: Celery, broker: Broker) -> None:
    ring(app, READ.task, "0199-scan", "scans")
    assert queue_lengths(app, READ.queues) == {"stat": 0, "scans": 1}
    message = str(broker.client.lindex("scans", 0))
    assert "0199-scan" in message
    assert "application/json" in message


def test_stat_overtakes_a_backlog(app: Celery, work: Callable[[int], None], heard: _Heard) -> None:
    for number in range(40):
        ring(app, READ.task, f"scan-{number}", "scans")
    for number in range(20):
        ring(app, READ.task, f"urgent-{number}", "stat")
    assert queue_lengths(app, READ.queues) == {"stat": 20, "scans": 40}
    work(1)
    wait_for(lambda: sum(task["state"] == "SUCCESS" for task in heard()) == 60)
    order = [task["args"] for task in heard()]
    assert set(order[:20]) == {f"urgent-{number}" for number in range(20)}
    assert queue_lengths(app, READ.queues) == dict.fromkeys(READ.queues, 0)


def test_no_event_is_lost_between_threads(app: Celery, work: Callable[[int], None], heard: _Heard) -> None:
    for number in range(600):
        ring(app, READ.task, f"scan-{number}", "scans")
    work(32)
    wait_for(lambda: sum(bool(task["started"] and task["succeeded"]) for task in heard()) == 600)
    assert {task["result"] for task in heard()} == {f"'normal scan-{number}'" for number in range(600)}


def test_absent_redis_is_reported_at_once_and_recovers(app: Celery, broker: Broker) -> None:
    ring(app, READ.task, "before", "scans")
    broker.kill()
    for ask in (lambda: ring(app, READ.task, "meanwhile", "scans"), lambda: queue_lengths(app, READ.queues)):
        began = time.monotonic()
        with pytest.raises(BrokerError, match="LUNGLINE_BROKER_URL") as raised:
            ask()
        assert time.monotonic() - began < 5
        assert broker.url not in str(raised.value)
    broker.start()
    ring(app, READ.task, "after", "scans")
    assert queue_lengths(app, READ.queues) == {"stat": 0, "scans": 1}


def test_flushall_does_not_matter(app: Celery, broker: Broker, work: Callable[[int], None], heard: _Heard) -> None:
    work(2)
    ring(app, READ.task, "before", "scans")
    wait_for(lambda: ("before", "SUCCESS") in {(task["args"], task["state"]) for task in heard()})
    broker.client.flushall()
    ring(app, READ.task, "after", "stat")
    wait_for(lambda: ("after", "SUCCESS") in {(task["args"], task["state"]) for task in heard()})
