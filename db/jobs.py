"""Jobs: every change of a job's state, each one conditional UPDATE on the database's clock.

    enter --> waiting --claim--> running --finish--> (the row goes; what came of it is a fact of its subject)
                 ^                  |
                 |-- db/job_leases.py: give_back, free_slot, expire, let_go
A doorbell in Redis only says "a job for this subject waits"; a state is believed from here alone.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, delete, func, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from db.clock import now
from db.insert import insert_all, insert_into, slices
from db.queues import is_running
from db.tables import JobState, Rank, jobs
from lungline.ids import new_id

ALONE_AFTER = 2  # lost leases


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


def enter(connection: Connection, new_jobs: Sequence[NewJob], since: datetime | None = None) -> int:
    """Enters jobs that wait; a subject that has an open job of that kind gets no second one. Returns how many were entered.

    Args:
        connection: in a transaction.
        new_jobs: any number.
        since: when the wait began, if that was before now; it decides which is older.
    """
    rows = [_row(job) for job in sorted(new_jobs, key=lambda job: (job.kind, job.subject))]  # in one order, so that none wait in a circle
    return len(insert_all(connection, jobs, jobs.c.id, rows, due_at=now(), due_set_at=now(), created_at=since or now()))


def postpone(connection: Connection, job: NewJob, seconds: float, at_most: float | None = None) -> None:
    """Enters a job that is due in so many seconds; one that is open already is due then instead, and stays as urgent as it was.

    `at_most`: however often it is postponed, it is due so many seconds after this was said first.

    An open job's row is locked until the transaction ends: whoever is about to end it waits, and then sees what this transaction wrote.
    """
    latest = {"latest_at": now(at_most)} if at_most is not None else {}
    times = {"due_at": now(seconds), "due_set_at": now(), "created_at": now(seconds), **latest}
    entered = insert_into(connection, jobs).values({**_row(job), **times})
    due_at = case((jobs.c.latest_at < entered.excluded.due_at, jobs.c.latest_at), else_=entered.excluded.due_at)
    is_more_urgent = entered.excluded.priority < jobs.c.priority
    changed = {
        "due_at": due_at,
        "due_set_at": entered.excluded.due_set_at,
        "latest_at": func.coalesce(jobs.c.latest_at, entered.excluded.latest_at),
        "created_at": due_at,  # doorbells are answered in this order
        "rung_at": case((jobs.c.state == JobState.WAITING, None), else_=jobs.c.rung_at),
        "priority": case((is_more_urgent, entered.excluded.priority), else_=jobs.c.priority),
        "queue": case((is_more_urgent, entered.excluded.queue), else_=jobs.c.queue),
    }
    connection.execute(entered.on_conflict_do_update(index_elements=[jobs.c.kind, jobs.c.subject], set_=changed))


def _row(job: NewJob) -> dict[str, object]:
    counts = dict.fromkeys(("attempt", "lost_leases", "deaths", "timeouts"), 0)
    return {
        "id": new_id(),
        **vars(job),
        "priority": int(job.priority),
        "state": JobState.WAITING,
        "exclusive": False,  # until a claim says otherwise
        "alone": False,
        **counts,
    }


# --- claims ---


def claim(
    connection: Connection, kinds: Collection[str], subjects: Sequence[str], owner: str, lease_seconds: float, *, exclusive: bool = False
) -> dict[str, Claim]:
    """Takes a waiting job of each subject for `owner`; exactly one of many callers gets it.

    Args:
        connection: in a transaction.
        kinds: of which a job may be; of a subject's jobs the most urgent goes first.
        subjects: whose jobs.
        owner: slot, boot and process of the worker.
        lease_seconds: for how long a claim holds without being renewed.
        exclusive: whether the jobs are of a kind of which at most one runs at a time: its worker does nothing beside it.

    Returns:
        A claim for each subject, but for those whose job another has, or that ended, or that is exclusive while another of its kind runs.
    """
    if not exclusive:
        return _claim(connection, kinds, subjects, owner, lease_seconds, exclusive=False)
    claims: dict[str, Claim] = {}
    for subject in subjects:
        with suppress(IntegrityError), connection.begin_nested():  # another of the kind runs: the database itself sees to that
            claims |= _claim(connection, kinds, [subject], owner, lease_seconds, exclusive=True)
    return claims


def _claim(
    connection: Connection, kinds: Collection[str], subjects: Sequence[str], owner: str, lease_seconds: float, *, exclusive: bool
) -> dict[str, Claim]:
    candidate, other = jobs.alias("candidate"), jobs.alias("other")
    more_urgent = and_(
        other.c.subject == candidate.c.subject,
        other.c.kind.in_(kinds),
        other.c.state == JobState.WAITING,
        is_running(other.c.queue),
        tuple_(other.c.priority, other.c.id) < tuple_(candidate.c.priority, candidate.c.id),
    )
    waiting = and_(
        candidate.c.subject.in_(subjects), candidate.c.kind.in_(kinds), candidate.c.state == JobState.WAITING, is_running(candidate.c.queue)
    )
    # On PostgreSQL, two workers that claim some of the same jobs do not wait for each other, and so not in a circle.
    chosen = select(candidate.c.id).where(waiting, ~select(other.c.id).where(more_urgent).exists()).with_for_update(skip_locked=True)
    statement = (
        update(jobs)
        .where(jobs.c.id.in_(chosen), jobs.c.state == JobState.WAITING)
        .values(state=JobState.RUNNING, owner=owner, lease_until=now(lease_seconds), attempt=jobs.c.attempt + 1)
        .values(exclusive=exclusive, alone=exclusive)
        .returning(jobs)
    )
    return {
        row.subject: Claim(row.id, row.kind, row.subject, row.priority, row.owner, row.attempt, row.lost_leases >= ALONE_AFTER)
        for row in connection.execute(statement)
    }


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
    return claim in finish_all(connection, [claim])


def finish_all(connection: Connection, claims: Sequence[Claim]) -> set[Claim]:
    """Ends claimed jobs as `finish` does; those whose claim was not void."""
    fence = tuple_(jobs.c.id, jobs.c.owner, jobs.c.attempt)
    ended: set[tuple[str, str, int]] = set()
    for some in slices(claims):
        found = jobs.c.id.in_([claim.job_id for claim in some])  # by its index: SQLite would search the whole table for a tuple
        held = fence.in_([(claim.job_id, claim.owner, claim.attempt) for claim in some])
        statement = delete(jobs).where(found, jobs.c.state == JobState.RUNNING, held).returning(jobs.c.id, jobs.c.owner, jobs.c.attempt)
        ended.update((row.id, row.owner, row.attempt) for row in connection.execute(statement))
    return {claim for claim in claims if (claim.job_id, claim.owner, claim.attempt) in ended}


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
