"""Doorbells that a worker took with it, while others go on: what was overtaken goes before the head of the queue, however long it is."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from celery import Celery
from sqlalchemy import Connection, select, update

from db import job_leases, jobs, runs
from db import scans as scan_states
from db.scans import State
from db.tables import Priority, scans
from db.tables import jobs as jobs_table
from db.writer import Writer
from jobs.app import make_app
from jobs.dispatcher import Dispatcher
from jobs.kinds import KINDS, READ
from jobs.queues import QueueNow, queue_lengths, queues_now, ring, ring_first
from lungline.settings import load
from tests.ledger import any_drop, claim_scan, enter, enter_many
from tests.servers import Broker
from tests.waiting import wait_for

_WORKER = """
import sys, threading, time
from db import jobs
from db.connect import connect
from db.writer import Writer
from jobs.kinds import READ
from lungline.settings import load
from jobs.app import make_app
app, writer = make_app(load()), Writer(connect(load().database_url))
order = threading.Lock()
@app.task(name="lungline.read_scan")
def read_scan(scan):
    if sys.argv[1] == "holds":
        time.sleep(600)
    claim = writer.do(jobs.claim, [READ.name], [scan], "slot/boot/b", READ.lease_seconds).get(scan)
    if claim is not None:
        time.sleep(0.005)
        writer.do(jobs.finish, claim)
        with order:
            print(scan, flush=True)
app.worker_main(["worker", "--pool=threads", "--concurrency=" + sys.argv[2], "--without-mingle", "--without-gossip", "--loglevel=ERROR"])
"""

Start = Callable[[str, int], "subprocess.Popen[str]"]


@pytest.fixture
def app(fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Celery:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", fresh_broker.url)
    return make_app(load())


@pytest.fixture
def start(app: Celery) -> Iterator[Start]:
    """Starts a worker that reads what it is rung for, or holds it for ever, with so many threads; it prints the ids in order."""
    started: list[subprocess.Popen[str]] = []

    def start(what: str, threads: int) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", _WORKER, what, str(threads)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10)


class QueueTime:
    """Lets time pass for the dispatcher, and for the bells that were rung."""

    def __init__(self, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
        self._writer = writer
        self._passed = 0.0
        monotonic = time.monotonic
        monkeypatch.setattr("jobs.dispatcher.time.monotonic", lambda: monotonic() + self._passed)

    def goes_by(self, seconds: float) -> None:
        self._passed += seconds
        self._writer.do(_put_back, seconds)


def _put_back(connection: Connection, seconds: float) -> None:
    for row in connection.execute(select(jobs_table.c.id, jobs_table.c.rung_at).where(jobs_table.c.rung_at.is_not(None))).all():
        earlier = row.rung_at - timedelta(seconds=seconds)
        connection.execute(update(jobs_table).where(jobs_table.c.id == row.id).values(rung_at=earlier))


def hears(broker: Broker, count: int, queue: str = "scans") -> list[str]:
    """A worker takes so many doorbells off the queue."""
    return [str(json.loads(str(broker.client.rpop(queue)))["headers"]["argsrepr"]) for _ in range(count)]


def claims(writer: Writer, scan_ids: list[str]) -> None:
    for scan_id in scan_ids:
        assert writer.do(claim_scan, scan_id, "slot/boot/b")


def test_what_was_overtaken_goes_before_the_head(
    writer: Writer, app: Celery, fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = QueueTime(writer, monkeypatch)
    ids = [enter(writer, any_drop()) for _ in range(12)]
    dispatcher = Dispatcher(app, writer)
    assert dispatcher.turn() == 12
    assert hears(fresh_broker, 3) == ids[:3]  # and dies with them
    claims(writer, hears(fresh_broker, 2))
    assert dispatcher.turn() == 0
    clock.goes_by(5)
    assert dispatcher.turn() == 0  # a worker may hold them for so long
    clock.goes_by(6)
    assert dispatcher.turn() == 3
    assert dispatcher.turn() == 0
    clock.goes_by(60)
    assert dispatcher.turn() == 0  # they lie at the head
    assert hears(fresh_broker, 10) == [*ids[:3], *ids[5:]]


def test_the_head_that_passed_them_may_have_ended(
    writer: Writer, app: Celery, fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = QueueTime(writer, monkeypatch)
    ids = [enter(writer, any_drop()) for _ in range(12)]
    dispatcher = Dispatcher(app, writer)
    dispatcher.turn()
    assert hears(fresh_broker, 3) == ids[:3]  # and dies with them
    rang = 0
    for _ in range(4):  # others read what comes after them, and a head ends before the next look
        rang += dispatcher.turn()
        for scan_id in hears(fresh_broker, 1):
            claim = writer.do(claim_scan, scan_id, "slot/boot/b")
            assert claim is not None
            assert writer.do(jobs.finish, claim)
        clock.goes_by(5)
    assert rang == 3


def test_a_bell_that_is_lost_twice_is_rung_twice(
    writer: Writer, app: Celery, fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = QueueTime(writer, monkeypatch)
    ids = [enter(writer, any_drop()) for _ in range(3)]
    dispatcher = Dispatcher(app, writer)
    assert dispatcher.turn() == 3
    for _ in range(3):
        assert hears(fresh_broker, 1) == ids[:1]
        assert dispatcher.turn() == 0
        clock.goes_by(10.1)
        assert dispatcher.turn() == 1


def test_what_a_worker_gave_back_goes_before_the_head(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    ids = [enter(writer, any_drop()) for _ in range(6)]
    dispatcher = Dispatcher(app, writer)
    dispatcher.turn()
    claims(writer, hears(fresh_broker, 3))
    writer.do(job_leases.free_slot, "slot", "boot")  # it is known to be dead
    late = enter(writer, any_drop())
    assert dispatcher.turn() == 4
    assert hears(fresh_broker, 7) == [*ids, late]


def test_a_queue_that_is_full_has_room_for_what_was_overtaken(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    ids = [enter(writer, any_drop()) for _ in range(8)]
    dispatcher = Dispatcher(app, writer, kinds=[replace(kind, most_rung=4) for kind in KINDS])
    dispatcher.turn()
    claims(writer, hears(fresh_broker, 2))
    assert dispatcher.turn() == 2
    writer.do(job_leases.free_slot, "slot", "boot")
    assert dispatcher.turn() == 2
    assert dispatcher.turn() == 0
    assert hears(fresh_broker, 6) == ids[:6]


def test_urgent_bells_are_overtaken_in_their_own_queue_alone(
    writer: Writer, app: Celery, fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = QueueTime(writer, monkeypatch)
    scan_ids = [enter(writer, any_drop()) for _ in range(3)]
    urgent = [enter(writer, any_drop(Priority.STAT)) for _ in range(3)]
    dispatcher = Dispatcher(app, writer)
    dispatcher.turn()
    hears(fresh_broker, 1, "stat")
    assert dispatcher.turn() == 0
    clock.goes_by(11)
    assert dispatcher.turn() == 1
    assert (hears(fresh_broker, 3, "stat"), hears(fresh_broker, 3)) == (urgent, scan_ids)


def test_a_run_that_was_overtaken_goes_first(writer: Writer, app: Celery, fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = QueueTime(writer, monkeypatch)
    ids = [str(writer.do(runs.enter, "hand")) for _ in range(3)]
    dispatcher = Dispatcher(app, writer)
    assert dispatcher.turn() == 3
    assert hears(fresh_broker, 1, runs.QUEUE) == ids[:1]
    assert dispatcher.turn() == 0
    clock.goes_by(11)
    assert dispatcher.turn() == 1
    assert hears(fresh_broker, 3, runs.QUEUE) == ids


def test_somebody_elses_message_at_the_head_tells_nothing(
    writer: Writer, app: Celery, fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = QueueTime(writer, monkeypatch)
    for _ in range(3):
        enter(writer, any_drop())
    dispatcher = Dispatcher(app, writer)
    dispatcher.turn()
    for message in ("garbage", '{"body": "e30="}', '{"body": 1}', "[]"):
        fresh_broker.client.rpush("scans", message)
        assert queues_now(app, READ.queues)["scans"].next is None
        clock.goes_by(11)
        assert dispatcher.turn() == 0
    ring_first(app, READ.task, "nobody", "scans")
    clock.goes_by(11)
    assert dispatcher.turn() == 0
    assert queues_now(app, READ.queues)["scans"].next == "nobody"
    clock.goes_by(11)
    assert dispatcher.turn() == 0


def test_rings_on_a_redis_that_shows_no_head_of_the_queue(app: Celery, fresh_broker: Broker) -> None:
    ring(app, READ.task, "first", "scans")
    fresh_broker.client.acl_setuser("default", enabled=True, keys=["*"], categories=["+@all"], commands=["-lmove", "-lindex"])
    ring_first(app, READ.task, "second", "scans")
    assert queues_now(app, READ.queues)["scans"] == QueueNow(2, None)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_they_wait_for_no_backlog(app: Celery, writer: Writer, start: Start, monkeypatch: pytest.MonkeyPatch, how: signal.Signals) -> None:
    monkeypatch.setattr("jobs.doorbells.LOST_AFTER_SECONDS", 1.0)
    ids = enter_many(writer, 1500)
    dispatcher = Dispatcher(app, writer)
    dispatcher.turn()
    holder = start("holds", 32)
    wait_for(lambda: queue_lengths(app, READ.queues)["scans"] <= len(ids) - 64, "64 bells in the hands of a worker")
    os.kill(holder.pid, how)
    dispatcher.start()
    reader = start("reads", 4)
    assert reader.stdout is not None
    order: list[str] = []
    while len(order) < len(ids):
        line = reader.stdout.readline()
        assert line, "the reader ended"
        order.extend({line.strip()}.intersection(ids))
    dispatcher.stop()
    assert sorted(order) == sorted(ids)
    place = {scan_id: number for number, scan_id in enumerate(order)}
    overtook = [sum(place[later] < place[scan_id] for later in ids[number + 1 :]) for number, scan_id in enumerate(ids[:64])]
    assert max(overtook) < 1000  # all of them did, where the oldest waited for the queue to be empty
    assert writer.do(lambda connection: set(connection.scalars(select(scan_states.state_of(scans.c.id)).select_from(scans)))) == {
        State.DONE
    }
