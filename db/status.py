"""The counts that `lungline up` and `lungline status` show, and the sums that must hold between them."""

from sqlalchemy import ColumnElement, Connection, Engine, func, select

from db.clock import now
from db.connect import read_only
from db.tables import Outcome, State, files, scans, state_told


def _count(connection: Connection, column: ColumnElement[str]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(select(column, func.count()).group_by(column))}


def counts(engine: Engine) -> dict[str, int | float | None]:
    """Drops by outcome, scans by state, and for how long the oldest waiting scan has waited (None if none waits), from one snapshot."""
    with read_only(engine).connect() as connection:
        by_outcome = _count(connection, files.c.outcome)
        by_state = _count(connection, state_told)
        first = select(func.min(scans.c.received_at).label("first"), now().label("now")).where(
            scans.c.state == State.WAITING, scans.c.again.is_(False)
        )
        oldest = connection.execute(first).one()
    return {
        "files": sum(by_outcome.values()),
        "accepted": by_outcome.get(Outcome.ACCEPTED, 0),
        "duplicates": by_outcome.get(Outcome.DUPLICATE, 0),
        "refused": by_outcome.get(Outcome.REFUSED, 0),
        "scans": sum(by_state.values()),
        **{state.value: by_state.get(state, 0) for state in State},
        "oldest_waiting_seconds": round((oldest.now - oldest.first).total_seconds(), 3) if oldest.first else None,
    }
