"""The dispatcher against a real ledger and a real Redis: what waits is rung, and what Redis loses is rung again."""

import threading
from dataclasses import replace

import pytest
from celery import Celery
from sqlalchemy import select, update

from db import archives, jobs
from db import scans as scan_states
from db.clock import now
from db.scans import State
from db.tables import Priority, scans
from db.tables import jobs as jobs_table
from db.writer import Writer
from jobs.app import make_app
from jobs.dispatcher import Dispatcher
from jobs.kinds import KINDS, READ, UNPACK
from jobs.queues import queue_lengths, ring
from lungline.errors import BrokerError
from lungline.settings import load
from tests.ledger import any_drop, claim_scan, enter
from tests.servers import Broker


@pytest.fixture
def app(fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Celery:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", fresh_broker.url)
    return make_app(load())


def waiting(writer: Writer, count: int, priority: Priority = Priority.SCANS) -> None:
    for _ in range(count):
        enter(writer, any_drop(priority))


def test_what_waits_is_rung_once_in_its_queue(writer: Writer, app: Celery) -> None:
    waiting(writer, 3)
    waiting(writer, 2, Priority.STAT)
    dispatcher = Dispatcher(app, writer)
    assert dispatcher.turn() == 5
    assert dispatcher.turn() == 0
    assert queue_lengths(app, READ.queues) == {"stat": 2, "scans": 3}


def test_doorbells_in_redis_are_bounded_and_urgent_first(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    waiting(writer, 6)
    dispatcher = Dispatcher(app, writer, kinds=[replace(kind, most_rung=4) for kind in KINDS])
    assert dispatcher.turn() == 4
    waiting(writer, 1, Priority.STAT)
    assert dispatcher.turn() == 0
    assert queue_lengths(app, READ.queues) == {"stat": 0, "scans": 4}
    fresh_broker.client.lpop("scans")  # heard
    assert dispatcher.turn() == 1
    assert queue_lengths(app, READ.queues) == {"stat": 1, "scans": 3}


class DispatchTime:
    """Moves the dispatcher's clock, and with it when the bells of its first turn were rung by the database's."""

    def __init__(self, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
        self._writer = writer
        self._passed = 0.0
        monkeypatch.setattr("jobs.dispatcher.time.monotonic", lambda: 1000.0 + self._passed)

    def goes_to(self, seconds: float) -> None:
        self._passed = seconds
        rung_at = now(5.0 - seconds)  # after the first look
        self._writer.do(lambda connection: connection.execute(update(jobs_table).values(rung_at=rung_at)))


def test_what_redis_lost_is_rung_again(writer: Writer, app: Celery, fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    time = DispatchTime(writer, monkeypatch)
    waiting(writer, 3)
    dispatcher = Dispatcher(app, writer)
    assert dispatcher.turn() == 3
    fresh_broker.client.flushall()
    for seconds in (20, 29.9):  # first seen empty after 20 s: they may just have been heard
        time.goes_to(seconds)
        assert dispatcher.turn() == 0
    time.goes_to(30)
    assert dispatcher.turn() == 3
    assert queue_lengths(app, READ.queues)["scans"] == 3


def test_what_a_restarted_redis_lost_is_rung_again_at_once(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    waiting(writer, 3)
    dispatcher = Dispatcher(app, writer)
    assert dispatcher.turn() == 3
    fresh_broker.restart()
    assert dispatcher.turn() == 3
    assert dispatcher.turn() == 0
    assert queue_lengths(app, READ.queues)["scans"] == 3


def test_fresh_dispatcher_trusts_only_doorbells_that_it_sees(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    waiting(writer, 3)
    assert Dispatcher(app, writer).turn() == 3
    assert Dispatcher(app, writer).turn() == 0  # they lie in their queue
    fresh_broker.restart()  # with the whole stack
    dispatcher = Dispatcher(app, writer)
    assert dispatcher.turn() == 3
    assert dispatcher.turn() == 0


def test_more_than_redis_may_hold_is_rung_again_after_a_restart(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    waiting(writer, 6)
    assert Dispatcher(app, writer).turn() == 6
    fresh_broker.restart()
    dispatcher = Dispatcher(app, writer, kinds=[replace(kind, most_rung=4) for kind in KINDS])
    assert dispatcher.turn() == 4
    fresh_broker.client.lpop("scans", 3)  # heard
    assert dispatcher.turn() == 2
    assert queue_lengths(app, READ.queues)["scans"] == 3


def test_redis_may_keep_its_run_to_itself(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    fresh_broker.client.acl_setuser("default", enabled=True, keys=["*"], categories=["+@all"], commands=["-info"])
    waiting(writer, 3)
    dispatcher = Dispatcher(app, writer)
    assert dispatcher.turn() == 3
    assert dispatcher.turn() == 0


def test_doorbells_that_still_lie_in_their_queue_are_not_lost(writer: Writer, app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    time = DispatchTime(writer, monkeypatch)
    waiting(writer, 3)
    dispatcher = Dispatcher(app, writer)
    dispatcher.turn()
    time.goes_to(3600)
    assert dispatcher.turn() == 0


def test_redis_may_be_away(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    waiting(writer, 2)
    dispatcher = Dispatcher(app, writer)
    fresh_broker.kill()
    with pytest.raises(BrokerError, match="LUNGLINE_BROKER_URL"):
        dispatcher.turn()
    fresh_broker.start()
    assert dispatcher.turn() == 2


def test_what_a_full_redis_did_not_take_is_rung_once_it_does(
    writer: Writer, app: Celery, fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(writer, 3)
    waiting(writer, 2, Priority.STAT)
    dispatcher = Dispatcher(app, writer)
    doorbells = iter(range(9))

    def ring_until_full(app: Celery, task: str, subject: str, queue: str) -> None:
        if next(doorbells) == 3:
            fresh_broker.client.config_set("maxmemory", 1)  # it answers, and refuses to write
        ring(app, task, subject, queue)

    monkeypatch.setattr("jobs.dispatcher.ring", ring_until_full)
    for _ in range(3):
        with pytest.raises(BrokerError):
            dispatcher.turn()
    assert queue_lengths(app, READ.queues) == {"stat": 2, "scans": 1}  # neither is ever seen empty
    fresh_broker.client.config_set("maxmemory", 0)
    assert dispatcher.turn() == 2
    assert queue_lengths(app, READ.queues) == {"stat": 2, "scans": 3}


def test_lost_urgent_doorbell_does_not_wait_for_all_others(
    writer: Writer, app: Celery, fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = DispatchTime(writer, monkeypatch)
    waiting(writer, 3)
    waiting(writer, 2, Priority.STAT)
    dispatcher = Dispatcher(app, writer)
    assert dispatcher.turn() == 5
    fresh_broker.client.delete("stat")  # with the worker that had taken them
    for seconds in (20, 29.9):
        time.goes_to(seconds)
        assert dispatcher.turn() == 0
    time.goes_to(30)
    assert dispatcher.turn() == 2
    assert queue_lengths(app, READ.queues) == {"stat": 2, "scans": 3}


def test_a_lease_that_ran_out_is_rung_again_at_once(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    waiting(writer, 1)
    dispatcher = Dispatcher(app, writer)
    dispatcher.turn()
    scan_id = str(writer.do(lambda connection: connection.scalar(select(scans.c.id))))
    writer.do(claim_scan, scan_id, "slot/boot/x")
    fresh_broker.client.flushall()
    writer.do(lambda connection: connection.execute(update(jobs_table).values(lease_until=now(-1))))
    assert dispatcher.turn() == 1
    assert writer.do(lambda connection: connection.scalar(select(scan_states.state_of(scans.c.id)).select_from(scans))) == State.WAITING


def test_whatever_goes_wrong_the_dispatcher_rings_on(writer: Writer, app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    rang = threading.Event()
    turns = iter([RuntimeError("a library's words"), None])

    def turn(_: Dispatcher) -> int:
        error = next(turns, None)
        if error:
            raise error
        rang.set()
        return 0

    monkeypatch.setattr(Dispatcher, "turn", turn)
    dispatcher = Dispatcher(app, writer)
    dispatcher.start()
    assert rang.wait(20)
    dispatcher.stop()


def test_few_archives_are_rung_at_once(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    for _ in range(5):
        writer.do(archives.enter, any_drop())
    writer.do(archives.enter, any_drop(Priority.STAT))
    dispatcher = Dispatcher(app, writer)
    assert dispatcher.turn() == 3
    assert queue_lengths(app, UNPACK.queues) == {"stat": 1, "archives": 2}
    subjects = sorted(writer.do(jobs.subjects, UNPACK.name))
    fresh_broker.client.delete("archives")  # heard
    claims = writer.do(jobs.claim, (UNPACK.name,), subjects[:2], "slot/boot/a", 40.0)
    assert len(claims) == 2
    assert dispatcher.turn() == 0  # two run
    writer.do(jobs.finish, claims[subjects[0]])
    assert dispatcher.turn() == 1
