"""Scans entered into a ledger, for tests of what becomes of them there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, event, select

from db import drops, job_doorbells, jobs, migrate, results, series
from db import scans as scan_states
from db.drops import Drop
from db.jobs import Claim
from db.results import ScanFacts, Verdict
from db.scans import Scan
from db.tables import Priority, Rank, metadata, scans
from db.tables import jobs as jobs_table
from db.writer import Writer
from jobs.kinds import READ, REREAD, TRAIN
from lungline.ids import new_id


def migrations() -> Config:
    """Alembic's, of this version."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    return config


def upgrade_to(connection: Connection, revision: str) -> None:
    """Makes an empty database that of an earlier version."""
    config = migrations()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def differences(connection: Connection) -> list[Any]:
    """What a migrated database has that the code does not know, or the other way round; but for an index by expressions."""

    def is_comparable(_: Any, name: str | None, *__: Any) -> bool:
        return name != "ix_verdicts_worklist"

    context = MigrationContext.configure(connection, opts={"include_object": is_comparable})
    return list(compare_metadata(context, metadata))


def any_drop(priority: Priority = Priority.SCANS) -> Drop:
    """A file with bytes that no other has."""
    return Drop(new_id(), new_id().replace("-", "") * 2, 1, priority, None)


def enter(writer: Writer, drop: Drop) -> str:
    """Enters a drop; the id of its scan."""
    writer.do(drops.accept, drop)
    return str(writer.do(lambda connection: connection.scalar(select(scans.c.id).where(scans.c.file_id == drop.id))))


def enter_many(writer: Writer, count: int) -> list[str]:
    """Enters so many drops at a time; the ids of their scans, in the order in which they wait."""

    def accept(connection: Connection) -> list[str]:
        for _ in range(count):
            drops.accept(connection, any_drop())
        return list(connection.scalars(select(jobs_table.c.subject).order_by(jobs_table.c.created_at, jobs_table.c.id)))

    return writer.do(accept)


def claim_scan(connection: Connection, scan_id: str, owner: str = "slot/boot/x") -> Claim | None:
    """Claims a scan as a worker does."""
    return jobs.claim(connection, (READ.name, REREAD.name), [scan_id], owner, READ.lease_seconds).get(scan_id)


def record(connection: Connection, claim: Claim, facts: ScanFacts, verdict: Verdict, quiet_seconds: float = series.QUIET_SECONDS) -> bool:
    """Ends one job of reading a scan with a verdict; whether its claim held."""
    return results.record_all(connection, [(claim, facts, verdict)], quiet_seconds)[0]


def enter_with_verdicts(writer: Writer, count: int, facts: ScanFacts, verdict: Verdict) -> None:
    """Enters scans, each with the same facts and verdict."""

    def record_next(connection: Connection, scan_id: str) -> None:
        claim = claim_scan(connection, scan_id)
        assert claim is not None
        assert record(connection, claim, facts, verdict)

    for _ in range(count):
        writer.do(record_next, enter(writer, any_drop()))


def state_of(connection: Connection, scan_id: str) -> str:
    """Where a scan stands."""
    return str(connection.scalar(select(scan_states.state_of(scans.c.id)).where(scans.c.id == scan_id)))


def claim_run(connection: Connection, run_id: str, owner: str = "slot/boot/a") -> Claim | None:
    """Claims a training run as the training worker does."""
    return jobs.claim(connection, (TRAIN.name,), [run_id], owner, TRAIN.lease_seconds, exclusive=True).get(run_id)


def job_of(connection: Connection, subject: str) -> str:
    """The id of a subject's open job."""
    return str(connection.scalar(select(jobs_table.c.id).where(jobs_table.c.subject == subject)))


def to_ring(connection: Connection, queue: str, most: int, *how: Any) -> list[str]:
    """The scans or runs whose doorbells are to be rung."""
    return [subject for _, _, subject in job_doorbells.to_ring(connection, queue, (Rank.STAT, Rank.LIVE), most, *how)]


def is_held(connection: Connection, claim: Claim) -> bool:
    """Whether this very claim still holds."""
    return connection.scalar(select(jobs_table.c.id).where(jobs.holds(claim))) is not None


def find_scan(connection: Connection, scan_id: str) -> Scan:
    """A scan as its reader knows it."""
    return scan_states.find(connection, [scan_id])[scan_id]


@contextmanager
def plans(engine: Engine) -> Iterator[list[str]]:
    """How SQLite goes about each query that is made meanwhile, a line a step."""
    steps: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            steps.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())

    event.listen(engine, "before_cursor_execute", explain)
    yield steps
    event.remove(engine, "before_cursor_execute", explain)
