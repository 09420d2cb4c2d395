"""Queues that an admin paused, and what waits in each: while a queue is paused, its jobs wait, and those under way go on."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, delete, select, update

from db import audit
from db.audit import Action
from db.clock import now
from db.insert import insert_new
from db.rows import ViewRow, select_rows
from db.tables import JobState, jobs, paused_queues


def is_running(queue: ColumnElement[str]) -> ColumnElement[bool]:
    """Of a queue: that it is not paused."""
    return ~select(paused_queues.c.queue).where(paused_queues.c.queue == queue).exists()


def pause(connection: Connection, queue: str, who: str) -> bool:
    """No job of this queue is begun from now on; False if it was paused already."""
    if not insert_new(connection, paused_queues, queue=queue, paused_at=now()):
        return False
    audit.note(connection, Action.QUEUE, "paused", who=who, subject=queue)
    return True


def resume(connection: Connection, queue: str, who: str) -> bool:
    """Its jobs are begun again, and rung for anew: whoever heard their doorbells meanwhile did nothing. False if it was not paused."""
    if connection.execute(delete(paused_queues).where(paused_queues.c.queue == queue)).rowcount == 0:
        return False
    rung = jobs.c.queue == queue, jobs.c.state == JobState.WAITING, jobs.c.rung_at.is_not(None)
    connection.execute(update(jobs).where(*rung).values(rung_at=None))
    audit.note(connection, Action.QUEUE, "resumed", who=who, subject=queue)
    return True


def paused(connection: Connection) -> list[str]:
    """The queues that are paused, by name."""
    return list(connection.scalars(select(paused_queues.c.queue).order_by(paused_queues.c.queue)))


def backlog(connection: Connection) -> Sequence[ViewRow]:
    """All rows of the view `backlog`."""
    return select_rows(connection, "SELECT * FROM backlog")
