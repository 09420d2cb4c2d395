"""Open work by queue and kind: how much waits and runs, and for how long the oldest has waited."""

from sqlalchemy import Connection, case, func, select

from db.clock import read_clock
from db.rows import ViewRow
from db.tables import JobState, jobs


def list_backlog(connection: Connection) -> list[ViewRow]:
    """A row for each queue and kind that has open jobs: queue, kind, waiting, running, oldest_waiting_seconds."""
    waiting = jobs.c.state == JobState.WAITING
    columns = (
        jobs.c.queue,
        jobs.c.kind,
        func.sum(case((waiting, 1), else_=0)).label("waiting"),
        func.sum(case((waiting, 0), else_=1)).label("running"),
        func.min(case((waiting, jobs.c.created_at))).label("oldest"),
    )
    rows = connection.execute(select(*columns).group_by(jobs.c.queue, jobs.c.kind).order_by(jobs.c.queue, jobs.c.kind)).all()
    at = read_clock(connection)
    return [
        {
            "queue": row.queue,
            "kind": row.kind,
            "waiting": int(row.waiting),
            "running": int(row.running),
            "oldest_waiting_seconds": max(0.0, (at - row.oldest).total_seconds()) if row.oldest else None,
        }
        for row in rows
    ]
