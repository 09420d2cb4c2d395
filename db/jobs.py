"""Jobs: every change of a job's state, each one conditional UPDATE on the database's clock.

    enter --> waiting --claim--> running --finish--> (the row goes; what came of it is a fact of its subject)
                 ^                  |
                 |-- give_back, free_slot, expire, let_go
A doorbell in Redis only says "a job for this subject waits"; a state is believed from here alone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, func, not_, or_, select, update
from sqlalchemy.exc import IntegrityError

from db.clock import now, older
from db.insert import insert_all, slices
from db.sparing import sparing
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


def enter(connection: Connection, new_jobs: Sequence[NewJob], due_in: float = 0.0, since: datetime | None = None) -> int:
    """Enters jobs that wait; a subject that has an open job of that kind gets no second one. Returns how many were entered.

    Args:
        connection: in a transaction.
        new_jobs: any number.
        due_in: seconds until they may be rung.
        since: when the wait began, if that was before now; it decides which is older.
    """
    rows = [_row(job) for job in sorted(new_jobs, key=lambda job: (job.kind, job.subject))]  # in one order, so that none wait in a circle
    return len(insert_all(connection, jobs, jobs.c.id, rows, due_at=now(due_in), created_at=since or now()))


def _row(job: NewJob) -> dict[str, object]:
    counts = dict.fromkeys(("attempt", "lost_leases", "deaths", "timeouts"), 0)
    return {"id": new_id(), **vars(job), "priority": int(job.priority), "state": JobState.WAITING, "alone": False, **counts}


# --- doorbells ---
#
# A queue is served in the order in which its doorbells were rung, which is the order in which jobs were entered. So a job that waits, and
# was entered before the one whose doorbell is the next in its queue, has no doorbell there: a worker holds it, or it is lost.


@dataclass(frozen=True)
class Look:
    """How a queue was found some time ago. What was rung before, and had been passed then, and still waits, was not heard."""

    seconds_ago: float
    next: str | None = None
    """The subject whose doorbell was the next to be answered; None: none lay there, so all had been passed."""


def to_ring(
    connection: Connection, queue: str, ranks: Collection[Rank], most: int, look: Look | None = None, before: str | None = None
) -> list[tuple[str, str, str]]:
    """Waiting jobs of a queue whose doorbell must be rung, the oldest first, as (id, kind, subject).

    Args:
        connection: in a transaction.
        queue: of the doorbells.
        ranks: of which priorities.
        most: how many.
        look: how the queue was found; None: no doorbell counts as lost, and those are rung that never were since they wait.
        before: only jobs that were entered before that of this subject.
    """
    must: ColumnElement[bool] = jobs.c.rung_at.is_(None)
    if look is not None:
        lost = older(jobs.c.rung_at, look.seconds_ago)
        must = or_(must, lost if look.next is None else and_(lost, _came_before(queue, look.next)))
    chosen = [jobs.c.queue == queue, jobs.c.state == JobState.WAITING, jobs.c.priority.in_(ranks), jobs.c.due_at <= now(), must]
    if before is not None:
        chosen.append(_came_before(queue, before))
    # in the order of the index: a backlog of a million is not sorted every second
    query = select(jobs.c.id, jobs.c.kind, jobs.c.subject).where(*chosen).order_by(jobs.c.created_at, jobs.c.id).limit(most)
    return [(row.id, row.kind, row.subject) for row in connection.execute(query)]


def _came_before(queue: str, subject: str) -> ColumnElement[bool]:
    """False of all where that subject has no job: its doorbell is somebody else's message, or was answered."""
    other = jobs.alias()
    theirs = and_(other.c.subject == subject, other.c.queue == queue)
    at = select(func.min(other.c.created_at)).where(theirs).scalar_subquery()
    return or_(
        jobs.c.created_at < at, and_(jobs.c.created_at == at, jobs.c.id < select(func.min(other.c.id)).where(theirs).scalar_subquery())
    )


def note_rung(connection: Connection, job_ids: Sequence[str]) -> list[str]:
    """Notes that these doorbells were rung now; returns those of which the database refuses to have it noted."""

    def note(some: Sequence[str]) -> None:
        connection.execute(update(jobs).where(jobs.c.id.in_(some), jobs.c.state == JobState.WAITING).values(rung_at=now()))

    return sparing(connection, note, job_ids)


def note_not_rung(connection: Connection, job_ids: Sequence[str]) -> None:
    """Takes that back: Redis did not take these doorbells, so they are rung as soon as it does."""
    for some in slices(job_ids):
        connection.execute(update(jobs).where(jobs.c.id.in_(some), jobs.c.state == JobState.WAITING).values(rung_at=None))


# --- leases ---


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


def is_held(connection: Connection, claim: Claim) -> bool:
    """Whether this very claim still holds."""
    return connection.scalar(select(jobs.c.id).where(holds(claim))) is not None


def note_alone(connection: Connection, claim: Claim) -> None:
    """From now on the worker does nothing but this job: if it dies, it died of it."""
    connection.execute(update(jobs).where(holds(claim)).values(alone=True))


def note_progress(connection: Connection, claim: Claim) -> None:
    """The job gets on: what died of it before is forgiven."""
    connection.execute(update(jobs).where(holds(claim)).values(lost_leases=0, deaths=0))


def renew(connection: Connection, owner: str, job_ids: Sequence[str], lease_seconds: float) -> set[str]:
    """Prolongs the leases of `owner` on these jobs; which of them it still holds."""
    mine = and_(jobs.c.owner == owner, jobs.c.state == JobState.RUNNING)
    return _change(connection, job_ids, mine, {"lease_until": now(lease_seconds)})


def _change(connection: Connection, job_ids: Sequence[str], here: ColumnElement[bool], values: Mapping[str, Any]) -> set[str]:
    """Changes those of the jobs for which `here` holds; which. One that the database refuses to change spares the others."""
    changed: set[str] = set()

    def change(some: Sequence[str]) -> None:
        changed.update(connection.scalars(update(jobs).where(jobs.c.id.in_(some), here).values(values).returning(jobs.c.id)))

    return changed.difference(sparing(connection, change, job_ids))


def _change_all(connection: Connection, here: ColumnElement[bool], values: Mapping[str, Any]) -> int:
    """The same for all jobs for which `here` holds, so many at a time; how many."""
    ids = list(connection.scalars(select(jobs.c.id).where(here).order_by(jobs.c.id).limit(_MOST_CHANGED)))
    return len(_change(connection, ids, here, values))


_FREE: Mapping[str, object] = {"state": JobState.WAITING, "owner": None, "lease_until": None, "rung_at": None}


def give_back(connection: Connection, claims: Iterable[Claim]) -> None:
    """A worker that stops puts what it did not finish back to waiting. Nobody is blamed."""
    for held in claims:
        connection.execute(update(jobs).where(holds(held)).values(_FREE))


def let_go(connection: Connection, claim: Claim) -> None:
    """The process that did the job died, and its worker lives: the job waits again, and the death is laid to it."""
    connection.execute(update(jobs).where(holds(claim)).values({**_lost(), "deaths": jobs.c.deaths + 1}))


def free_slot(connection: Connection, slot: str, boot: str) -> int:
    """A worker that starts in `slot` frees what its predecessor held: it is known to be dead. Returns how many jobs.

    Blame only falls where the predecessor died by itself: leases of an earlier boot of this host were lost to a power cut.
    """
    mine = and_(jobs.c.state == JobState.RUNNING, jobs.c.owner.startswith(f"{slot}/", autoescape=True))
    same_boot = jobs.c.owner.startswith(f"{slot}/{boot}/", autoescape=True)
    blamed = _change_all(connection, and_(mine, same_boot), _lost())
    return blamed + _change_all(connection, and_(mine, not_(same_boot)), _FREE)


def expire(connection: Connection, kind: str, lease_seconds: float) -> int:
    """Frees jobs of a kind whose lease ran out: their worker, or its host, is gone. Returns how many.

    A lease that lasts longer than any can is of a time before the clock was set back. It is cut, not ended: a living worker renews it.
    """
    running = and_(jobs.c.kind == kind, jobs.c.state == JobState.RUNNING)
    _change_all(connection, and_(running, jobs.c.lease_until > now(lease_seconds)), {"lease_until": now(lease_seconds)})
    return _change_all(connection, and_(running, jobs.c.lease_until < now()), _lost())


def _lost() -> dict[str, object]:
    # A worker that dies takes the innocent along: only a job that it did alone is held against it.
    return {
        **_FREE,
        "lost_leases": jobs.c.lost_leases + 1,
        "deaths": jobs.c.deaths + case((jobs.c.alone, 1), else_=0),
    }


def count_death(connection: Connection, claim: Claim) -> int | None:
    """A process died of the job: how often that happened by now; None if the claim is void."""
    return _count(connection, claim, "deaths")


def count_timeout(connection: Connection, claim: Claim) -> int | None:
    """The job took too long: how often that happened by now; None if the claim is void."""
    return _count(connection, claim, "timeouts")


def _count(connection: Connection, claim: Claim, name: str) -> int | None:
    column = jobs.c[name]
    return connection.execute(update(jobs).where(holds(claim)).values({name: column + 1}).returning(column)).scalar()


def condemned(connection: Connection, kind: str, deaths_allowed: int) -> dict[str, str]:
    """Waiting jobs of a kind to which more deaths are laid than allowed, with their subjects.

    To be asked in the transaction that freed some, and in no other: it looks at every job that waits.
    """
    guilty = and_(jobs.c.kind == kind, jobs.c.state == JobState.WAITING, jobs.c.deaths > deaths_allowed)
    rows = connection.execute(select(jobs.c.id, jobs.c.subject).where(guilty).order_by(jobs.c.id).limit(_MOST_CHANGED))
    return {row.id: row.subject for row in rows}


def give_up(connection: Connection, job_id: str) -> bool:
    """Ends a job that nobody holds; False if somebody does, or it ended."""
    return connection.execute(delete(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.WAITING)).rowcount == 1


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
