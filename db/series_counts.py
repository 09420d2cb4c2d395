"""How many images a series has by what the PACS says: whose number is to be asked for, and what was answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, or_, select, update

from db.clock import older, read_clock
from db.series import ASSESS, schedule
from db.tables import JobState, Priority, jobs, scans, series, studies

_FILES_TRIED = 3  # of a series, to find its UIDs


@dataclass(frozen=True)
class UncountedSeries:
    """A series whose number of images the PACS is to be asked for."""

    series_id: str
    asked_at: datetime
    """By the database's clock: a slice that came later makes the answer an old one."""
    files: tuple[tuple[str, str], ...]
    """(sha256, file id) of some of its scans, whose headers have the UIDs."""


def find_uncounted(connection: Connection, silent_seconds: float, most: int) -> Sequence[UncountedSeries]:
    """Series that are still to be assessed, of which no slice came for so long, and whose number was not asked for since."""
    at = read_clock(connection)
    waits = jobs.join(series, series.c.id == jobs.c.subject).join(studies, studies.c.id == series.c.study_id)
    query = (
        select(series.c.id, series.c.series_key, studies.c.study_key, studies.c.patient_key)
        .select_from(waits)
        .where(jobs.c.kind == ASSESS, jobs.c.state == JobState.WAITING)
        .where(older(series.c.last_scan_at, silent_seconds), or_(series.c.asked_at.is_(None), series.c.asked_at < series.c.last_scan_at))
        .order_by(func.random())  # one for which the PACS always fails must not keep back the others
        .limit(most)
    )
    return [
        UncountedSeries(row.id, at, _files(connection, row.series_key, row.study_key, row.patient_key))
        for row in connection.execute(query).all()
    ]


def note_count(connection: Connection, of: UncountedSeries, images: int | None, quiet_seconds: float) -> None:
    """The PACS says so; None: it does not know the series. One that waits to be counted as complete is looked at again at once."""
    noted = update(series).where(series.c.id == of.series_id).values(announced=images, asked_at=of.asked_at)
    last_scan_at = connection.scalar(noted.returning(series.c.last_scan_at))
    job = connection.execute(select(jobs.c.queue).where(jobs.c.kind == ASSESS, jobs.c.subject == of.series_id)).first()
    if images is None or last_scan_at is None or job is None:
        return
    silent = (read_clock(connection) - last_scan_at).total_seconds()
    priority = Priority.STAT if job.queue == Priority.STAT.value else Priority.SCANS
    schedule(connection, of.series_id, priority, max(0.0, quiet_seconds - silent))


def _files(connection: Connection, series_key: str, study_key: str, patient_key: str) -> tuple[tuple[str, str], ...]:
    mine = (
        scans.c.series_key == series_key,
        func.coalesce(scans.c.study_key, "") == study_key,  # found by the series, not by the study (db/series.py)
        func.coalesce(scans.c.patient_key, "") == patient_key,
    )
    found = connection.execute(select(scans.c.sha256, scans.c.file_id).where(*mine).limit(_FILES_TRIED))
    return tuple((each.sha256, each.file_id) for each in found)
