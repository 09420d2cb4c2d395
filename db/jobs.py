"""Jobs: every change of a job's state, each one conditional UPDATE on the database's clock.

    enter --> waiting --claim--> running --finish--> (the row goes; what came of it is a fact of its subject)
                 ^                  |
                 |-- db/job_leases.py: give_back, free_slot, expire, let_go
A doorbell in Redis only says "a job for this subject waits"; a state is believed from here alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from db.clock import now
from db.insert import insert_all, slices
from db.tables import JobState, Rank, jobs
from lungline.ids import new_id

ALONE_AFTER = 2  # lost leases
_MOST_CHANGED = 1000  # jobs at a time


@dataclass(frozen=True)
class Claim:
    """A worker's right to a job. Owner and attempt are the fence: any later claim makes this one void."""

    job_id: str
    kind: str
    subject: str
    priority: int
    owner: str
    attempt: int
    alone: bool
    """Two workers died that held it: nothing may be done beside it, and `note_alone` says when that begins."""


@dataclass(frozen=True)
class NewJob:
    """A job to be entered."""

    kind: str
    subject: str
    queue: str
    priority: Rank = Rank.LIVE
    exclusive: bool = False
    """At most one of its kind runs at a time."""


def enter(connection: Connection, new_jobs: Sequence[NewJob], since: datetime | None = None) -> int:
    """Enters jobs that wait; a subject that has an open job of that kind gets no second one. Returns how many were entered.

    Args:
        connection: in a transaction.
        new_jobs: any number.
        since: when the wait began, if that was before now; it decides which is older.
    """
    rows = [_row(job) for job in sorted(new_jobs, key=lambda job: (job.kind, job.subject))]  # in one order, so that none wait in a circle
    return len(insert_all(connection, jobs, jobs.c.id, rows, due_at=now(), created_at=since or now()))


def _row(job: NewJob) -> dict[str, object]:
    counts = dict.fromkeys(("attempt", "lost_leases", "deaths", "timeouts"), 0)
    return {"id": new_id(), **vars(job), "priority": int(job.priority), "state": JobState.WAITING, "alone": False, **counts}


# --- claims ---


def claim(
    connection: Connection, kinds: Collection[str], subject: str, owner: str, lease_seconds: float, *, exclusive: bool = False
) -> Claim | None:
    """Takes a waiting job of a subject for `owner`; exactly one of many callers gets it.

    Args:
        connection: in a transaction.
        kinds: of which it may be; the most urgent goes first.
        subject: whose job.
        owner: slot, boot and process of the worker.
        lease_seconds: for how long it holds without being renewed.
        exclusive: whether the job is of a kind of which at most one runs at a time: its worker does nothing beside it.

    Returns:
        The claim; None if another has the job, or it ended, or it is exclusive and another of its kind runs.
    """
    waiting = and_(jobs.c.subject == subject, jobs.c.kind.in_(kinds), jobs.c.state == JobState.WAITING)
    first = select(jobs.c.id).where(waiting).order_by(jobs.c.priority, jobs.c.id).limit(1).scalar_subquery()
    statement = (
        update(jobs)
        .where(jobs.c.id == first, jobs.c.state == JobState.WAITING)
        .values(state=JobState.RUNNING, owner=owner, lease_until=now(lease_seconds), attempt=jobs.c.attempt + 1, alone=exclusive)
        .returning(jobs)
    )
    if not exclusive:
        return _claim(connection.execute(statement).one_or_none())
    try:
        with connection.begin_nested():
            return _claim(connection.execute(statement).one_or_none())
    except IntegrityError:  # another of the kind runs: the database itself sees to that
        return None


def _claim(row: Row[Any] | None) -> Claim | None:
    if row is None:
        return None
    return Claim(row.id, row.kind, row.subject, row.priority, row.owner, row.attempt, row.lost_leases >= ALONE_AFTER)


def holds(claim: Claim) -> ColumnElement[bool]:
    """The fence as a condition on `jobs`: this very claim still holds."""
    return and_(
        jobs.c.id == claim.job_id,
        jobs.c.state == JobState.RUNNING,
        jobs.c.owner == claim.owner,
        jobs.c.attempt == claim.attempt,
    )


# --- ends ---


def finish(connection: Connection, claim: Claim) -> bool:
    """Ends a claimed job; False, and nothing changed, if the claim is void. In the transaction that writes what came of it."""
    return connection.execute(delete(jobs).where(holds(claim))).rowcount == 1


def cancel_waiting(connection: Connection, kind: str) -> int:
    """Ends the jobs of a kind that nobody has begun; how many."""
    return connection.execute(delete(jobs).where(jobs.c.kind == kind, jobs.c.state == JobState.WAITING)).rowcount


def hurry(connection: Connection, kind: str, subjects: Collection[str], queue: str) -> None:
    """Makes waiting jobs urgent: their doorbells are rung anew, in another queue."""
    for some in slices(list(subjects)):
        waiting = and_(jobs.c.kind == kind, jobs.c.subject.in_(some), jobs.c.state == JobState.WAITING, jobs.c.priority > Rank.STAT)
        connection.execute(update(jobs).where(waiting).values(queue=queue, priority=int(Rank.STAT), rung_at=None))


# --- what is open ---


def subjects(connection: Connection, kind: str) -> set[str]:
    """Whose jobs of a kind are open."""
    return set(connection.scalars(select(jobs.c.subject).where(jobs.c.kind == kind)))


def count(connection: Connection, kind: str) -> dict[JobState, int]:
    """How many open jobs of a kind there are, by state."""
    query = select(jobs.c.state, func.count()).where(jobs.c.kind == kind).group_by(jobs.c.state)
    found = {JobState(state): number for state, number in connection.execute(query)}
    return {state: found.get(state, 0) for state in JobState}


def oldest(connection: Connection, kind: str) -> datetime | None:
    """Since when the oldest job of a kind has waited; None if none waits."""
    first: datetime | None = connection.scalar(
        select(func.min(jobs.c.created_at)).where(jobs.c.kind == kind, jobs.c.state == JobState.WAITING)
    )
    return first
