"""Which doorbells must be rung, and which were: a job's doorbell is lost once the head of its queue has passed it.

A queue is served in the order in which its doorbells were rung, which is the order in which jobs were entered. So a job that waits, and
was entered before the one whose doorbell is the next in its queue, has no doorbell there: a worker holds it, or it is lost.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from db.clock import now, older
from db.insert import slices
from db.queues import is_running
from db.refused_rows import change_rows
from db.tables import JobState, Rank, jobs


@dataclass(frozen=True)
class QueuePlace:
    """Of a job in the order in which jobs were entered. It is known after the job has ended, too."""

    created_at: datetime
    job_id: str


@dataclass(frozen=True)
class Look:
    """How a queue was found some time ago. What was rung before, and had been passed then, and still waits, was not heard."""

    seconds_ago: float
    head: QueuePlace | None = None
    """Of the job whose doorbell was the next to be answered; None: none lay there, so all had been passed."""


def place_of(connection: Connection, queue: str, subject: str) -> QueuePlace | None:
    """The place of a subject's job of a queue; None where it has none: its doorbell is somebody else's message, or was answered."""
    theirs = and_(jobs.c.subject == subject, jobs.c.queue == queue)
    row = connection.execute(select(jobs.c.created_at, jobs.c.id).where(theirs).order_by(jobs.c.created_at, jobs.c.id).limit(1)).first()
    return row and QueuePlace(row.created_at, row.id)


def to_ring(
    connection: Connection, queue: str, ranks: Collection[Rank], most: int, look: Look | None = None, before: QueuePlace | None = None
) -> list[tuple[str, str, str]]:
    """Waiting jobs of a queue whose doorbell must be rung, the oldest first, as (id, kind, subject).

    Args:
        connection: in a transaction.
        queue: of the doorbells.
        ranks: of which priorities.
        most: how many.
        look: how the queue was found; None: no doorbell counts as lost, and those are rung that never were since they wait.
        before: only jobs that were entered before this place.
    """
    must: ColumnElement[bool] = jobs.c.rung_at.is_(None)
    if look is not None:
        lost = older(jobs.c.rung_at, look.seconds_ago)
        must = or_(must, lost if look.head is None else and_(lost, _is_before(look.head)))
    chosen = [
        jobs.c.queue == queue,
        jobs.c.state == JobState.WAITING,
        jobs.c.priority.in_(ranks),
        or_(jobs.c.due_at <= now(), jobs.c.due_set_at > now()),  # set ahead of now: the clock was set back since
        must,
        is_running(jobs.c.queue),
    ]
    if before is not None:
        chosen.append(_is_before(before))
    # in the order of the index: a backlog of a million is not sorted every second
    query = select(jobs.c.id, jobs.c.kind, jobs.c.subject).where(*chosen).order_by(jobs.c.created_at, jobs.c.id).limit(most)
    return [(row.id, row.kind, row.subject) for row in connection.execute(query)]


def _is_before(place: QueuePlace) -> ColumnElement[bool]:
    return or_(jobs.c.created_at < place.created_at, and_(jobs.c.created_at == place.created_at, jobs.c.id < place.job_id))


def note_rung(connection: Connection, job_ids: Sequence[str]) -> list[str]:
    """Notes that these doorbells were rung now; returns those of which the database refuses to have it noted."""

    def note(some: Sequence[str]) -> None:
        connection.execute(update(jobs).where(jobs.c.id.in_(some), jobs.c.state == JobState.WAITING).values(rung_at=now()))

    return change_rows(connection, note, job_ids)


def note_not_rung(connection: Connection, job_ids: Sequence[str]) -> None:
    """Takes that back: Redis did not take these doorbells, so they are rung as soon as it does."""
    for some in slices(job_ids):
        connection.execute(update(jobs).where(jobs.c.id.in_(some), jobs.c.state == JobState.WAITING).values(rung_at=None))
