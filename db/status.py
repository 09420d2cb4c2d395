"""The counts that `lungline up` and `lungline status` show, and the sums that must hold between them."""

from collections import Counter

from sqlalchemy import Column, Connection, Engine, func, select

from db import jobs, scans
from db.clock import now
from db.connect import read_only
from db.scans import READ, State
from db.tables import Outcome, files


def _count(connection: Connection, column: Column[str]) -> Counter[str]:
    return Counter({row[0]: row[1] for row in connection.execute(select(column, func.count()).group_by(column))})


def counts(engine: Engine) -> dict[str, int | float | None]:
    """Drops by outcome, scans by state, and for how long the oldest waiting scan has waited (None if none waits), from one snapshot."""
    with read_only(engine).connect() as connection:
        by_outcome = _count(connection, files.c.outcome)
        by_state = scans.count_states(connection)
        first = jobs.oldest(connection, READ)
        at = connection.execute(select(now())).scalar_one()
    return {
        "files": sum(by_outcome.values()),
        "accepted": by_outcome[Outcome.ACCEPTED],
        "duplicates": by_outcome[Outcome.DUPLICATE],
        "refused": by_outcome[Outcome.REFUSED],
        "scans": sum(by_state.values()),
        **{state.value: by_state[state] for state in State},
        "oldest_waiting_seconds": round((at - first).total_seconds(), 3) if first else None,
    }
