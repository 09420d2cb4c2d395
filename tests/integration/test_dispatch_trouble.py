"""One thing that cannot be rung, freed or renewed keeps no other from it, and is logged once."""

from collections.abc import Iterator

import pytest
from celery import Celery
from sqlalchemy import Engine, select, text, update
from structlog.testing import capture_logs

from db import ledger, runs
from db.clock import now
from db.tables import scans
from db.writer import Writer
from lungline.errors import LedgerError
from lungline.settings import load
from tests.entered import any_drop, enter
from tests.servers import Broker
from tests.waiting import wait_for
from watcher import dispatch
from watcher.dispatch import Dispatcher
from workers import lease
from workers.app import make_app
from workers.lease import Leases
from workers.queues import TRAINING, queue_lengths, ring


@pytest.fixture
def app(fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Celery:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", fresh_broker.url)
    return make_app(load())


@pytest.fixture
def either(engine: Engine) -> Iterator[Writer]:
    """The writer of an empty ledger, on SQLite and on PostgreSQL."""
    writer = Writer(engine)
    yield writer
    writer.close()


def poison(writer: Writer, engine: Engine, scan_id: str, column: str) -> None:
    """The database refuses to change this column of this scan, as it would refuse a row on a damaged page."""
    when = f"BEFORE UPDATE OF {column} ON scans FOR EACH ROW WHEN (NEW.id = '{scan_id}')"
    statements = (
        [f"CREATE TRIGGER poison {when} BEGIN SELECT RAISE(ABORT, 'damaged'); END"]
        if engine.dialect.name == "sqlite"
        else [
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'damaged'; END $$",
            f"CREATE TRIGGER poison {when} EXECUTE FUNCTION refuse()",
        ]
    )
    for statement in statements:
        writer.do(lambda connection, statement=statement: connection.exec_driver_sql(statement))  # type: ignore[misc]


def test_a_scan_whose_bell_cannot_be_noted(either: Writer, engine: Engine, app: Celery) -> None:
    ids = [enter(either, any_drop()) for _ in range(5)]
    either.do(lambda connection: runs.enter(connection, "hand"))
    poison(either, engine, ids[2], "rung_at")
    dispatcher = Dispatcher(app, either, load().schedule)
    with capture_logs() as logs:
        assert [dispatcher.turn() for _ in range(3)] == [5, 0, 0]
    assert queue_lengths(app, ("scans", TRAINING)) == {"scans": 4, TRAINING: 1}
    assert [entry["ids"] for entry in logs] == [[ids[2]]]


def test_a_scan_whose_bell_redis_does_not_take(writer: Writer, app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [enter(writer, any_drop()) for _ in range(4)]
    writer.do(lambda connection: runs.enter(connection, "hand"))

    def ring_most(app: Celery, waiting_id: str, queue: str) -> None:
        if waiting_id == ids[1]:
            raise ValueError("a library's words")
        ring(app, waiting_id, queue)

    monkeypatch.setattr(dispatch, "ring", ring_most)
    dispatcher = Dispatcher(app, writer, load().schedule)
    with pytest.raises(ValueError, match="words"):
        dispatcher.turn()
    assert dispatcher.turn() == 0
    assert queue_lengths(app, ("scans", TRAINING)) == {"scans": 3, TRAINING: 1}


def test_a_schedule_that_fails(writer: Writer, app: Celery) -> None:
    enter(writer, any_drop())
    writer.do(lambda connection: connection.execute(text("UPDATE facts SET value = 'never' WHERE name = 'since'")))
    dispatcher = Dispatcher(app, writer, load().schedule)
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(ValueError, match="never"):
                dispatcher.turn()
    assert queue_lengths(app)["scans"] == 1
    assert [(entry["at"], entry["error"]) for entry in logs] == [("the schedule", "ValueError")]


def test_an_outage_is_told_once_and_its_end(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    enter(writer, any_drop())
    dispatcher = Dispatcher(app, writer, load().schedule)
    with capture_logs() as logs:
        writer.do(lambda connection: connection.execute(text("ALTER TABLE scans RENAME TO away")))
        for _ in range(3):
            with pytest.raises(LedgerError):
                dispatcher.turn()
        writer.do(lambda connection: connection.execute(text("ALTER TABLE away RENAME TO scans")))
        assert dispatcher.turn() == 1
    assert [entry["event"] for entry in logs] == ["not ringing as it should", "ringing again"]


def test_a_lease_that_cannot_be_ended(either: Writer, engine: Engine, app: Celery) -> None:
    ids = [enter(either, any_drop()) for _ in range(3)]
    for scan_id in ids:
        either.do(lambda connection, scan_id=scan_id: ledger.claim(connection, scan_id, "slot/boot/x"))  # type: ignore[misc]
    either.do(lambda connection: connection.execute(update(scans).values(lease_until=now(-1), deaths=1, alone=True)))
    poison(either, engine, ids[1], "state")
    assert Dispatcher(app, either, load().schedule).turn() == 0
    states = either.do(lambda connection: connection.execute(select(scans.c.id, scans.c.state)).all())
    assert {row.id: row.state for row in states} == {ids[0]: "quarantined", ids[1]: "reading", ids[2]: "quarantined"}


def test_a_worker_starts_though_one_of_its_predecessors_scans_cannot_be_freed(either: Writer, engine: Engine) -> None:
    ids = [enter(either, any_drop()) for _ in range(3)]
    for scan_id in ids:
        either.do(lambda connection, scan_id=scan_id: ledger.claim(connection, scan_id, "slot/boot/x"))  # type: ignore[misc]
    poison(either, engine, ids[0], "state")
    Leases(either, "slot").stop()
    assert sorted(either.do(lambda connection: connection.scalars(select(scans.c.state)).all())) == ["reading", "waiting", "waiting"]


def test_whatever_goes_wrong_leases_are_renewed(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.02)
    errors = iter([RuntimeError("a library's words"), LedgerError("away")])
    renew = ledger.renew

    def renew_in_the_end(*arguments: object) -> None:
        if error := next(errors, None):
            raise error
        renew(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger, "renew", renew_in_the_end)
    leases = Leases(writer, "slot")
    scan_id = enter(writer, any_drop())
    with leases.claim(scan_id) as claim:
        assert claim is not None
        writer.do(lambda connection: connection.execute(update(scans).values(lease_until=now(5))))
        long = select(scans.c.lease_until > now(30)).where(scans.c.id == scan_id)
        wait_for(lambda: writer.do(lambda connection: connection.scalar(long)), "the renewal", 20)
    leases.stop()
