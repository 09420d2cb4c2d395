"""The table of jobs: open work, a row each. What came of a job that ended is a fact of its subject, in another table."""

from enum import IntEnum, StrEnum

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, String, Table, UniqueConstraint, text

from db.clock import UtcTime
from db.tables.base import id_column, metadata


class JobState(StrEnum):
    """Where an open job is. Changed by conditional UPDATE alone (db/jobs.py)."""

    WAITING = "waiting"  # for a worker; its doorbell may be rung, lost, or not yet rung
    RUNNING = "running"  # a worker holds its lease


class Rank(IntEnum):
    """Which jobs go first; a lower number overtakes."""

    STAT = 0
    LIVE = 1
    BACKGROUND = 2


jobs = Table(
    "jobs",
    metadata,
    id_column(),
    Column("kind", String(16), nullable=False),  # jobs/kinds.py
    Column("subject", String(36), nullable=False),  # the id of the scan, run … that the work is about
    Column("queue", String(16), nullable=False),  # that its doorbell goes to
    Column("priority", Integer, nullable=False),
    Column("state", String(7), nullable=False),
    Column("exclusive", Boolean, nullable=False),  # of these at most one of a kind runs at a time
    Column("attempt", Integer, nullable=False),  # how often it was claimed; half of the fence
    Column("owner", String(120)),  # the other half
    Column("lease_until", UtcTime),
    Column("due_at", UtcTime, nullable=False),  # not to be rung before
    Column("due_set_at", UtcTime),  # when that was said: if it lies ahead, the clock was set back since, and the job is due
    Column("latest_at", UtcTime),  # it is not postponed beyond that; NULL: as far as anybody likes
    Column("rung_at", UtcTime),  # NULL: its doorbell is still to be rung
    Column("created_at", UtcTime, nullable=False),
    Column("alone", Boolean, nullable=False),  # the worker that holds it does nothing beside it
    Column("lost_leases", Integer, nullable=False),  # workers that died while they held it
    Column("deaths", Integer, nullable=False),  # what can be blamed on it: processes that died of it
    Column("timeouts", Integer, nullable=False),
    CheckConstraint("state in ('waiting', 'running')", name="state"),
    UniqueConstraint("kind", "subject"),
)
Index("ix_jobs_queue_state_created_at", jobs.c.queue, jobs.c.state, jobs.c.created_at)
Index("ix_jobs_kind_state_created_at_queue", jobs.c.kind, jobs.c.state, jobs.c.created_at, jobs.c.queue)
Index("ix_jobs_subject", jobs.c.subject)
Index(
    "uq_jobs_exclusive",
    jobs.c.kind,
    unique=True,
    sqlite_where=text("exclusive = 1 and state = 'running'"),
    postgresql_where=text("exclusive and state = 'running'"),
)

paused_queues = Table(  # of which no job is begun
    "paused_queues",
    metadata,
    Column("queue", String(16), primary_key=True),
    Column("paused_at", UtcTime, nullable=False),
)
