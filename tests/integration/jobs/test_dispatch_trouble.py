"""One thing that cannot be rung, freed or renewed keeps no other from it, and is logged once."""

from collections.abc import Iterator, Sequence

import pytest
from celery import Celery
from sqlalchemy import Connection, Engine, select, text, update
from structlog.testing import capture_logs

from db import job_leases, runs
from db import scans as scan_states
from db.clock import now
from db.tables import jobs as jobs_table
from db.tables import scans
from db.writer import Writer
from jobs.app import make_app
from jobs.dispatcher import Dispatcher
from jobs.kinds import READ
from jobs.leases import Leases
from jobs.queues import queue_lengths, ring
from lungline.errors import LedgerError, LedgerFault
from lungline.settings import load
from tests.ledger import any_drop, claim_scan, enter, job_of, state_of
from tests.servers import Broker
from tests.waiting import wait_for


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
    when = f"BEFORE UPDATE OF {column} ON jobs FOR EACH ROW WHEN (NEW.subject = '{scan_id}')"
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
    either.do(runs.enter, "hand")
    poison(either, engine, ids[2], "rung_at")
    dispatcher = Dispatcher(app, either)
    with capture_logs() as logs:
        assert [dispatcher.turn() for _ in range(3)] == [5, 0, 0]
    assert queue_lengths(app, ("scans", runs.QUEUE)) == {"scans": 4, runs.QUEUE: 1}
    job = either.do(job_of, ids[2])
    assert [entry["jobs"] for entry in logs] == [[job]]


def test_a_scan_whose_bell_redis_does_not_take(writer: Writer, app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [enter(writer, any_drop()) for _ in range(4)]
    writer.do(runs.enter, "hand")

    def ring_most(app: Celery, task: str, subject: str, queue: str) -> None:
        if subject == ids[1]:
            raise ValueError("a library's words")
        ring(app, task, subject, queue)

    monkeypatch.setattr("jobs.dispatcher.ring", ring_most)
    dispatcher = Dispatcher(app, writer)
    with pytest.raises(ValueError, match="words"):
        dispatcher.turn()
    assert dispatcher.turn() == 0
    assert queue_lengths(app, ("scans", runs.QUEUE)) == {"scans": 3, runs.QUEUE: 1}


def test_a_schedule_that_fails(writer: Writer, app: Celery) -> None:
    enter(writer, any_drop())
    writer.do(lambda connection: connection.execute(text("UPDATE facts SET value = 'never' WHERE name = 'since'")))
    dispatcher = Dispatcher(app, writer, load().schedule)
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(ValueError, match="never"):
                dispatcher.turn()
    assert queue_lengths(app, READ.queues)["scans"] == 1
    assert [(entry["step"], entry["error"]) for entry in logs] == [("the schedule", "ValueError")]


def test_an_outage_is_told_once_and_its_end(writer: Writer, app: Celery, fresh_broker: Broker) -> None:
    enter(writer, any_drop())
    dispatcher = Dispatcher(app, writer)
    with capture_logs() as logs:
        writer.do(lambda connection: connection.execute(text("ALTER TABLE jobs RENAME TO away")))
        for _ in range(3):
            with pytest.raises(LedgerFault):
                dispatcher.turn()
        writer.do(lambda connection: connection.execute(text("ALTER TABLE away RENAME TO jobs")))
        assert dispatcher.turn() == 1
    steps = [entry["step"] for entry in logs if entry["event"] == "not ringing as it should"]
    assert len(steps) == len(set(steps)) > 1
    assert sorted(entry["step"] for entry in logs if entry["event"] == "ringing again") == sorted(steps)


def test_a_lease_that_cannot_be_ended(either: Writer, engine: Engine, app: Celery) -> None:
    ids = [enter(either, any_drop()) for _ in range(3)]
    for scan_id in ids:
        either.do(claim_scan, scan_id, "slot/boot/x")
    either.do(lambda connection: connection.execute(update(jobs_table).values(lease_until=now(-1), deaths=1, alone=True)))
    poison(either, engine, ids[1], "state")
    assert Dispatcher(app, either).turn() == 0
    states = either.do(lambda connection: {scan_id: state_of(connection, scan_id) for scan_id in ids})
    assert states == {ids[0]: "quarantined", ids[1]: "reading", ids[2]: "quarantined"}


def test_worker_starts_though_a_scan_cannot_be_freed(either: Writer, engine: Engine) -> None:
    ids = [enter(either, any_drop()) for _ in range(3)]
    for scan_id in ids:
        either.do(claim_scan, scan_id, "slot/boot/x")
    poison(either, engine, ids[0], "state")
    Leases(either, "slot").stop()
    assert sorted(either.do(lambda connection: connection.scalars(select(scan_states.state_of(scans.c.id)).select_from(scans)).all())) == [
        "reading",
        "waiting",
        "waiting",
    ]


def test_whatever_goes_wrong_leases_are_renewed(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter([RuntimeError("a library's words"), LedgerError("away")])
    renew = job_leases.renew

    def renew_in_the_end(connection: Connection, owner: str, job_ids: Sequence[str], lease_seconds: float) -> set[str]:
        if error := next(errors, None):
            raise error
        return renew(connection, owner, job_ids, lease_seconds)

    monkeypatch.setattr(job_leases, "renew", renew_in_the_end)
    leases = Leases(writer, "slot", renew_seconds=0.02)
    scan_id = enter(writer, any_drop())
    with leases.claim((READ,), scan_id, scan_states.find) as found:
        assert found is not None
        writer.do(lambda connection: connection.execute(update(jobs_table).values(lease_until=now(5))))
        long = select(jobs_table.c.lease_until > now(30)).where(jobs_table.c.subject == scan_id)
        wait_for(lambda: writer.do(lambda connection: connection.scalar(long)), "the renewal", 20)
    leases.stop()
