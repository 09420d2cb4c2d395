"""The counts that `lungline up` and `lungline status` show, and the sums that must hold between them."""

from collections import Counter

from sqlalchemy import Connection, Engine, func, select

from db import jobs, scans
from db.clock import read_clock
from db.connect import read_only
from db.scans import READ, State
from db.tables import Outcome, files


def _count_files(connection: Connection) -> Counter[Outcome]:
    """Drops by outcome. All are counted at once, and the few that were not accepted: an index counts faster than it tells apart."""
    of = {
        outcome: select(func.count()).where(files.c.outcome == outcome).scalar_subquery()
        for outcome in (Outcome.DUPLICATE, Outcome.REFUSED, Outcome.UNPACKED)
    }
    total, *others = connection.execute(select(select(func.count()).select_from(files).scalar_subquery(), *of.values())).one()
    found = dict(zip(of, others, strict=True))
    return Counter({Outcome.ACCEPTED: total - sum(others), **found})


def counts(engine: Engine) -> dict[str, int | float | None]:
    """Drops by outcome, scans by state, and for how long the oldest waiting scan has waited (None if none waits), from one snapshot."""
    with read_only(engine).connect() as connection:
        by_outcome = _count_files(connection)
        by_state = scans.count_states(connection)
        first = jobs.oldest(connection, READ)
        at = read_clock(connection)
    return {
        "files": sum(by_outcome.values()),
        "accepted": by_outcome[Outcome.ACCEPTED],
        "duplicates": by_outcome[Outcome.DUPLICATE],
        "refused": by_outcome[Outcome.REFUSED],
        "unpacked": by_outcome[Outcome.UNPACKED],
        "scans": sum(by_state.values()),
        **{state.value: by_state[state] for state in State},
        "oldest_waiting_seconds": round((at - first).total_seconds(), 3) if first else None,
    }
