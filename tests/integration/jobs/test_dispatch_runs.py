"""Training runs: entered by the clock once, and rung by the same path as scans, in a queue of their own."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery
from sqlalchemy import text, update

from db import runs
from db.clock import now
from db.tables import jobs as jobs_table
from db.writer import Writer
from jobs.app import make_app
from jobs.dispatcher import Dispatcher
from jobs.queues import queue_lengths
from lungline.schedule import Schedule
from lungline.settings import load
from tests.ledger import any_drop, claim_run, enter
from tests.servers import Broker

HOURLY = Schedule("0 * * * *", UTC)
NEVER = Schedule("0 0 29 2 *", UTC)


@pytest.fixture
def app(fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Celery:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", fresh_broker.url)
    return make_app(load())


def runs_waiting(app: Celery) -> int:
    return queue_lengths(app, (runs.QUEUE,))[runs.QUEUE]


def born(writer: Writer, ago: timedelta) -> None:
    since = {"since": (datetime.now(UTC) - ago).isoformat()}
    writer.do(lambda connection: connection.execute(text("UPDATE facts SET value = :since WHERE name = 'since'"), since))


def test_two_dispatchers_enter_a_missed_slot_once_and_ring(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    born(writer, timedelta(hours=5))
    two = [Dispatcher(app, writer, HOURLY) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(Dispatcher.turn, two))
    fetched = writer.do(lambda connection: connection.execute(text("SELECT trigger, state FROM training_runs")).all())
    assert [tuple(row) for row in fetched] == [("schedule", "waiting")]
    assert runs_waiting(app) >= 1
    assert "lungline.retrain" in str(fresh_broker.client.lindex(runs.QUEUE, 0))


def test_the_clock_needs_no_redis(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    born(writer, timedelta(hours=5))
    fresh_broker.kill()
    dispatcher = Dispatcher(app, writer, HOURLY)
    with pytest.raises(Exception, match="Redis"):
        dispatcher.turn()
    fresh_broker.start()
    dispatcher.turn()
    assert runs_waiting(app) == 1


def test_a_run_that_redis_lost_is_rung_again(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    writer.do(runs.enter, "hand")
    dispatcher = Dispatcher(app, writer, NEVER)
    assert dispatcher.turn() == 1
    assert dispatcher.turn() == 0
    fresh_broker.restart()
    assert dispatcher.turn() == 1
    assert runs_waiting(app) == 1


def test_waiting_run_does_not_block_repeated_doorbells_of_scans(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    writer.do(runs.enter, "hand")
    Dispatcher(app, writer, NEVER).turn()
    enter(writer, any_drop())
    dispatcher = Dispatcher(app, writer, NEVER)
    assert dispatcher.turn() == 1
    fresh_broker.client.delete("scans")  # lost, while the run's bell lies there
    assert Dispatcher(app, writer, NEVER).turn() == 1
    assert runs_waiting(app) == 1


def test_a_lease_that_ran_out_is_rung_at_once(writer: Writer, app: Celery) -> None:
    run_id = str(writer.do(runs.enter, "hand"))
    dispatcher = Dispatcher(app, writer, NEVER)
    dispatcher.turn()
    writer.do(claim_run, run_id, "slot/boot/a")
    writer.do(lambda connection: connection.execute(update(jobs_table).values(lease_until=now(-1))))
    assert dispatcher.turn() == 1
    assert runs_waiting(app) == 2
