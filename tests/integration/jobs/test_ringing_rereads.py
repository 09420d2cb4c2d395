"""Scans that are read again, under a real dispatcher, a real Redis and a real reader: behind all others, and heard in the end."""

import pytest
from celery import Celery
from sqlalchemy import insert, select, text, update

from db import rereads
from db import scans as scan_states
from db.clock import now
from db.rereads import Choice
from db.results import ScanFacts, Verdict
from db.tables import Priority, scans, versions
from db.tables import jobs as jobs_table
from db.writer import Writer
from jobs.app import make_app
from jobs.dispatcher import Dispatcher
from jobs.kinds import READ
from jobs.queues import queue_lengths
from lungline.findings import Modality, Status
from lungline.settings import load
from tests.ledger import any_drop, claim_scan, enter, record
from tests.servers import Broker


@pytest.fixture
def app(fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Celery:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", fresh_broker.url)
    return make_app(load())


def asked_for(writer: Writer, count: int) -> list[str]:
    """Scans that a former champion judged, and that are to be read again."""
    facts, said = ScanFacts(Modality.XRAY, 1, 1), Verdict("A", Status.ACCEPTED, "normal", 1.0, None, 0.0, 0.0, {"normal": 1.0})
    for scan_id in [enter(writer, any_drop()) for _ in range(count)]:
        claim = writer.do(claim_scan, scan_id, "slot/boot/x")
        assert claim is not None
        assert writer.do(record, claim, facts, said)
    row = {"version": "B", "kind": "ensemble", "name": "xray", "modality": "xray", "state": "champion", "sha256": "0" * 64}
    writer.do(lambda connection: connection.execute(insert(versions).values(**row, shipped=True, created_at=now())))
    return writer.do(rereads.ask, Choice(), "", count)


def test_they_are_rung_a_few_at_a_time_while_nothing_else_rings(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    asked = asked_for(writer, 40)
    dispatcher = Dispatcher(app, writer)
    assert dispatcher.turn() == 32
    assert dispatcher.turn() == 0  # until those are heard
    live = enter(writer, any_drop())
    urgent = enter(writer, any_drop(Priority.STAT))
    assert dispatcher.turn() == 2
    doorbells = queue_lengths(app, READ.queues)
    assert (doorbells["stat"], doorbells["scans"]) == (1, 33)
    fresh_broker.client.delete("stat", "scans")  # heard
    first, second = enter(writer, any_drop()), enter(writer, any_drop())
    assert dispatcher.turn() == 2  # these alone
    fresh_broker.client.delete("stat", "scans")
    assert dispatcher.turn() == 8
    assert not {live, urgent, first, second} & set(asked)


def test_a_bell_that_redis_lost_is_rung_again(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    asked_for(writer, 3)
    dispatcher = Dispatcher(app, writer)
    assert dispatcher.turn() == 3
    fresh_broker.restart()
    assert dispatcher.turn() == 0  # they may just have been heard
    for rung_at in (now(-31), now(6 * 3600)):  # so long ago, or before the clock was set back
        writer.do(lambda connection, rung_at=rung_at: connection.execute(update(jobs_table).values(rung_at=rung_at)))  # type: ignore[misc]
        fresh_broker.restart()
        assert dispatcher.turn() == 3


def test_what_is_called_back_is_rung_no_more(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    asked = asked_for(writer, 3)
    writer.do(rereads.call_back)
    assert Dispatcher(app, writer).turn() == 0
    assert (
        writer.do(lambda connection: connection.scalars(select(scan_states.state_of(scans.c.id)).select_from(scans)).all()) == ["done"] * 3
    )
    assert writer.do(lambda connection: connection.scalar(text("SELECT count(*) FROM scan_results"))) == len(asked)
