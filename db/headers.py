"""Reading the headers of old scans again, for facts that an earlier version did not look for. Their verdicts stand."""

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, or_, select, update

from db import jobs, series
from db.jobs import Claim, NewJob
from db.results import HEADER_VERSION, ScanFacts
from db.tables import Priority, Rank, scans, verdicts
from db.tables import jobs as open_jobs

HEADERS: Final = "headers"  # the kind of job
_NOT_OF_HEADERS: Final = frozenset({"modality", "rows", "columns", "lung_share"})  # what the picture decided, too


def count_left(connection: Connection) -> int:
    """How many scans have a verdict, and facts of an earlier version."""
    return connection.scalar(select(func.count()).select_from(scans).where(*_wanted())) or 0


def ask(connection: Connection, after: str, most: int) -> list[str]:
    """Has the headers of some of them wait to be read, `most` at most, in the order of their ids from `after` on; which."""
    found = list(connection.scalars(select(scans.c.id).where(scans.c.id > after, *_wanted()).order_by(scans.c.id).limit(most)))
    jobs.enter(connection, [NewJob(HEADERS, scan_id, Priority.SCANS.value, Rank.BACKGROUND) for scan_id in found])
    return found


def count_open(connection: Connection) -> int:
    """How many wait or are read now."""
    return sum(jobs.count(connection, HEADERS).values())


def call_back(connection: Connection) -> None:
    """Those that only wait are no longer asked for."""
    jobs.cancel_waiting(connection, HEADERS)


def record(connection: Connection, claim: Claim, facts: ScanFacts, quiet_seconds: float) -> bool:
    """Ends the job with what the header says; False, and nothing written, if the claim is void. Its series is assessed, as by a verdict."""
    if not jobs.finish(connection, claim):
        return False
    plain: dict[str, Any] = {name: value for name, value in vars(facts).items() if name not in _NOT_OF_HEADERS}
    changed = update(scans).where(scans.c.id == claim.subject).values(plain).returning(scans.c.modality)
    known = replace(facts, modality=connection.scalar(changed))
    series.note_verdict(connection, known.series, Priority.SCANS, quiet_seconds)
    return True


def fail(connection: Connection, claim: Claim) -> bool:
    """Ends the job of a scan whose header can no longer be read: it keeps the facts that it has. False if the claim is void."""
    if not jobs.finish(connection, claim):
        return False
    give_up(connection, claim.subject)
    return True


def give_up(connection: Connection, scan_id: str) -> None:
    """Asks no more for a scan's header, in the transaction that ends the job."""
    connection.execute(update(scans).where(scans.c.id == scan_id).values(header_version=HEADER_VERSION))


def _wanted() -> list[ColumnElement[bool]]:
    has_verdict = select(verdicts.c.id).where(verdicts.c.scan_id == scans.c.id, verdicts.c.superseded_at.is_(None)).exists()
    is_open = select(open_jobs.c.id).where(open_jobs.c.subject == scans.c.id).exists()
    return [or_(scans.c.header_version.is_(None), scans.c.header_version < HEADER_VERSION), has_verdict, ~is_open]
