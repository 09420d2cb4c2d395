"""Which doorbells must be rung: one judgement for scans and training runs.

A queue is served in the order in which its bells were rung, which is the order in which things came. So whoever waits, and came before the
one whose bell is the next in its queue, has no bell there: a worker holds it, or it is lost.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, and_, or_, select

from db.clock import older


@dataclass(frozen=True)
class Look:
    """How a queue was found some time ago. What was rung before, and had been passed then, and still waits, was not heard."""

    seconds_ago: float
    next: str | None = None  # whose bell was the next to be answered; None: none lay there, so all had been passed


def unheard(
    connection: Connection, table: Table, came_at: str, waits: ColumnElement[bool], most: int, look: Look | None, before: str | None
) -> list[str]:
    """Ids of what waits and must be rung, `most` at most, in the order in which it came.

    Args:
        connection: in a transaction.
        table: with `id` and `rung_at`.
        came_at: its column that tells when a row came.
        waits: which rows wait.
        most: how many.
        look: how their queue was found; None: no bell counts as lost, and those are rung that never were since they wait.
        before: only those that came before this one.
    """
    must: ColumnElement[bool] = table.c.rung_at.is_(None)
    if look is not None:
        lost = older(table.c.rung_at, look.seconds_ago)
        must = or_(must, lost if look.next is None else and_(lost, _came_before(table, came_at, look.next)))
    chosen = [waits, must] if before is None else [waits, must, _came_before(table, came_at, before)]
    # in the order of the index: a backlog of a million is not sorted every second
    query = select(table.c.id).where(*chosen).order_by(table.c[came_at], table.c.id)
    return list(connection.scalars(query.limit(most)))


def _came_before(table: Table, came_at: str, id: str) -> ColumnElement[bool]:
    """False of all where there is no such row: somebody else's message."""
    other = table.alias()
    at = select(other.c[came_at]).where(other.c.id == id).scalar_subquery()
    return and_(table.c[came_at] <= at, or_(table.c[came_at] < at, table.c.id < id))
