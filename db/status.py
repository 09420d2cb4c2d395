"""The counts that `lungline up` and `lungline status` show, and the sums that must hold between them."""

from collections import Counter
from datetime import datetime

from sqlalchemy import Column, Connection, Engine, ScalarSelect, func, select

from db.clock import now
from db.connect import read_only
from db.tables import Outcome, Priority, State, files, scans


def _count(connection: Connection, column: Column[str]) -> Counter[str]:
    return Counter({row[0]: row[1] for row in connection.execute(select(column, func.count()).group_by(column))})


def counts(engine: Engine) -> dict[str, int | float | None]:
    """Drops by outcome, scans by state, and for how long the oldest waiting scan has waited (None if none waits), from one snapshot.

    Asked every second, whatever the ledger holds: by indexes alone, so no row of a table is read but of the scans that are read again.
    """
    with read_only(engine).connect() as connection:
        by_outcome = _count(connection, files.c.outcome)
        by_state = _count(connection, scans.c.state)
        told = func.lower(scans.c.state)  # it is lower; but by the plain column SQLite would walk that one's index over the whole table
        for state, again in connection.execute(select(told, func.count()).where(scans.c.again).group_by(told)):  # told as done
            by_state[state] -= again
            by_state[State.DONE] += again
        *firsts, at = connection.execute(select(*(_first(priority) for priority in Priority), now())).one()
    first = min((received_at for received_at in firsts if received_at), default=None)
    return {
        "files": sum(by_outcome.values()),
        "accepted": by_outcome[Outcome.ACCEPTED],
        "duplicates": by_outcome[Outcome.DUPLICATE],
        "refused": by_outcome[Outcome.REFUSED],
        "scans": sum(by_state.values()),
        **{state.value: by_state[state] for state in State},
        "oldest_waiting_seconds": round((at - first).total_seconds(), 3) if first else None,
    }


def _first(priority: Priority) -> ScalarSelect[datetime]:
    """When the oldest that waits with this priority was received: the first in the index."""
    here = (scans.c.state == State.WAITING, scans.c.priority == priority, scans.c.again.is_(False))
    return select(func.min(scans.c.received_at)).where(*here).scalar_subquery()
