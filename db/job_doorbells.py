"""Which doorbells must be rung, and which were: a job's doorbell is lost once the head of its queue has passed it.

A queue is served in the order in which its doorbells were rung, which is the order in which jobs were entered. So a job that waits, and
was entered before the one whose doorbell is the next in its queue, has no doorbell there: a worker holds it, or it is lost.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from db.clock import now, older
from db.insert import slices
from db.refused_rows import change_rows
from db.tables import JobState, Rank, jobs


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

    return change_rows(connection, note, job_ids)


def note_not_rung(connection: Connection, job_ids: Sequence[str]) -> None:
    """Takes that back: Redis did not take these doorbells, so they are rung as soon as it does."""
    for some in slices(job_ids):
        connection.execute(update(jobs).where(jobs.c.id.in_(some), jobs.c.state == JobState.WAITING).values(rung_at=None))
