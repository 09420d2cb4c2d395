"""What a scan is and where it stands: waiting, reading, done or quarantined. The one place that says so.

A scan waits or is read while it has an open job of the kind `read`; it is quarantined while it has an open row in `quarantine`; otherwise
it is done, also while it is reread: its verdict stands until the next one.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, select, update

from db import jobs as open_jobs
from db.clock import now
from db.insert import insert_all, insert_new, slices
from db.jobs import NewJob
from db.tables import JobState, Priority, Rank, files, jobs, quarantine, scans
from lungline.findings import Modality
from lungline.ids import new_id
from lungline.reasons import Reason

READ: Final = "read"  # the kind of job that brings a scan its first verdict
REREAD: Final = "reread"  # and of the one that brings it another, by new champions
RELOOK_SECONDS: Final = (60.0, 600.0)  # seconds after which truncated bytes are looked at again


class State(StrEnum):
    """Where a scan is."""

    WAITING = "waiting"  # for a worker
    READING = "reading"  # a worker holds its lease
    DONE = "done"  # has one current verdict, which may be `rejected`
    QUARANTINED = "quarantined"  # could not be read, with a reason


@dataclass(frozen=True)
class Scan:
    """What a worker must know of a scan to read it."""

    scan_id: str
    file_id: str
    sha256: str
    frame: int
    hint: Modality | None
    priority: Priority
    waited_seconds: float
    """Since its file was taken in."""


def state_of(scan_id: ColumnElement[str]) -> ColumnElement[str]:
    """The state of a scan, as a column of a query."""
    job = select(jobs.c.state).where(jobs.c.subject == scan_id, jobs.c.kind == READ).scalar_subquery()
    is_open = select(quarantine.c.id).where(quarantine.c.scan_id == scan_id, quarantine.c.released_at.is_(None)).exists()
    return case(
        (job == JobState.WAITING, State.WAITING.value),
        (job == JobState.RUNNING, State.READING.value),
        (is_open, State.QUARANTINED.value),
        else_=State.DONE.value,
    )


def count_states(connection: Connection) -> Counter[State]:
    """How many scans are in each state: by small tables and indexes alone, as this is asked every second."""
    total = connection.scalar(select(func.count()).select_from(scans)) or 0
    waiting = open_jobs.count(connection, READ)
    is_open = and_(quarantine.c.released_at.is_(None), quarantine.c.scan_id.is_not(None))
    quarantined = connection.scalar(select(func.count(quarantine.c.scan_id.distinct())).where(is_open)) or 0
    found = {
        State.WAITING: waiting[JobState.WAITING],
        State.READING: waiting[JobState.RUNNING],
        State.QUARANTINED: quarantined,
    }
    return Counter({**found, State.DONE: total - sum(found.values())})


def find_scans(by: Literal["id", "sha256"], value: str) -> Select[Any]:
    """A query for scans by their id or the hash of their bytes, each frame with where it stands."""
    columns = (scans.c.id.label("scan_id"), scans.c.sha256, scans.c.frame, state_of(scans.c.id).label("state"), scans.c.received_at)
    return select(*columns).where(scans.c[by] == value).order_by(scans.c.frame)


def find(connection: Connection, scan_ids: Sequence[str]) -> dict[str, Scan]:
    """What a worker must know of scans, by their ids."""
    found: dict[str, Scan] = {}
    for some in slices(scan_ids):
        for row in connection.execute(select(scans, now().label("at")).where(scans.c.id.in_(some))):
            hint = Modality(row.hint) if row.hint else None
            waited = (row.at - row.received_at).total_seconds()
            found[row.id] = Scan(row.id, row.file_id, row.sha256, row.frame, hint, Priority(row.priority), waited)
    return found


# --- entering ---


@dataclass(frozen=True)
class NewScan:
    """A frame of a file that is to be read."""

    file_id: str
    sha256: str
    frame: int
    priority: Priority
    hint: Modality | None


def enter(connection: Connection, new_scans: Sequence[NewScan]) -> set[str]:
    """Enters scans, each with the job to read it; those whose bytes and frame have one are passed over. The file ids of those entered."""
    rows = [{"id": new_id(), **vars(scan)} for scan in new_scans]
    entered = insert_all(connection, scans, scans.c.id, rows, received_at=now())
    kept = [row for row in rows if row["id"] in entered]
    open_jobs.enter(connection, [_read_job(str(row["id"]), Priority(str(row["priority"]))) for row in kept])
    return {str(row["file_id"]) for row in kept}


def enter_frames(connection: Connection, scan: Scan, frames: Iterable[int]) -> None:
    """Enters further frames of a file whose first frame was just read; those that are there stay as they are."""
    enter(connection, [NewScan(scan.file_id, scan.sha256, frame, scan.priority, scan.hint) for frame in frames])


def _read_job(scan_id: str, priority: Priority) -> NewJob:
    return NewJob(READ, scan_id, priority.value, Rank.STAT if priority is Priority.STAT else Rank.LIVE)


def hurry(connection: Connection, sha256: str) -> None:
    """Makes the scans of these bytes urgent that nobody has begun to read."""
    slow = and_(scans.c.sha256 == sha256, scans.c.priority == Priority.SCANS, state_of(scans.c.id) == State.WAITING)
    ids = list(connection.scalars(update(scans).where(slow).values(priority=Priority.STAT).returning(scans.c.id)))
    open_jobs.hurry(connection, READ, ids, Priority.STAT.value)


# --- quarantine ---


def quarantine_file(connection: Connection, file_id: str, sha256: str | None, reason: Reason, size: int) -> None:
    """Enters a refused file; its quarantine row has the file's own id."""
    _quarantine(connection, file_id, file_id, None, sha256, reason, reason.sentence, size)


def quarantine_scan(connection: Connection, scan_id: str, reason: Reason, detail: str) -> None:
    """Enters a scan that cannot be read, in the transaction that ends its job; truncated bytes are looked at again."""
    query = select(scans.c.file_id, scans.c.sha256, files.c.bytes).join(files, files.c.id == scans.c.file_id)
    row = connection.execute(query.where(scans.c.id == scan_id)).one()
    _quarantine(connection, new_id(), row.file_id, scan_id, row.sha256, reason, detail, row.bytes)


def _quarantine(
    connection: Connection, id: str, file_id: str, scan_id: str | None, sha256: str | None, reason: Reason, detail: str, size: int
) -> None:
    insert_new(
        connection,
        quarantine,
        id=id,
        file_id=file_id,
        scan_id=scan_id,
        sha256=sha256,
        reason=reason,
        detail=detail,
        bytes=size,
        seen_at=now(),
        looks=0,
        next_look_at=now(RELOOK_SECONDS[0]) if reason is Reason.TRUNCATED else None,
    )


def release(connection: Connection, quarantine_id: str) -> bool:
    """Lets a quarantined scan wait anew with a clean slate; False if there is none such, or it was released before."""
    scan_id = connection.execute(
        update(quarantine)
        .where(quarantine.c.id == quarantine_id, quarantine.c.released_at.is_(None), quarantine.c.scan_id.is_not(None))
        .values(released_at=now(), next_look_at=None)
        .returning(quarantine.c.scan_id)
    ).scalar()
    if scan_id is None:
        return False
    row = connection.execute(select(scans.c.priority, scans.c.received_at).where(scans.c.id == scan_id)).one()
    open_jobs.enter(connection, [_read_job(scan_id, Priority(row.priority))], since=row.received_at)
    return True
