"""Series and studies: which there are, and what lies in each. Their assessments are in db/assessments.py."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, select, text, update

from db import jobs
from db.clock import UtcTime, now
from db.insert import insert_new
from db.jobs import NewJob
from db.tables import Priority, Rank, series, studies
from lungline.ids import new_id

ASSESS: Final = "assess"  # the kind of job that says what a series shows
QUEUE: Final = "assess"
QUIET_SECONDS: Final = 60.0
_LONGEST_QUIET: Final = 10.0  # quiet periods, until a series is assessed though its slices never stop coming


@dataclass(frozen=True)
class Slice:
    """A scan of a series with its current verdict."""

    scan_id: str
    file_id: str
    finding: str | None
    probability: float | None
    status: str
    reason: str | None
    covid19: float | None
    """The probability of covid19; None if the scan was rejected."""
    ensemble: str
    orientation: str | None
    position_mm: float | None
    kernel: str | None
    thickness_mm: float | None
    derivation: str | None
    acquisition: int | None
    expected: int | None
    lung_share: float | None
    priority: str
    received_at: datetime


@dataclass(frozen=True, order=True)
class SeriesName:
    """What tells a series from all others: pseudonyms and modality, empty where a file does not say."""

    patient_key: str
    study_key: str
    series_key: str
    modality: str


@dataclass(frozen=True)
class Series:
    """A series as it is to be assessed."""

    series_id: str
    study_id: str
    name: SeriesName
    silent_seconds: float
    """Since the latest verdict of one of its scans."""
    is_closed: bool
    """A person said that it is complete."""
    announced: int | None = None
    """How many images it has, as the PACS said since the latest of them came."""


def note_verdict(connection: Connection, name: SeriesName, priority: Priority, quiet_seconds: float) -> None:
    """A scan of a series has a new verdict: the series is to be assessed once it was quiet for so long, or slices came for ten times as
    long. In the verdict's transaction.

    So are those of other modalities under its Series Instance UID: the scan may have been one of theirs until now. A scan that names no
    study or no series belongs to none; its verdict is all that is said of it.
    """
    if not name.study_key or not name.series_key:
        return
    touched = _touch(connection, name)
    if name.modality not in touched.values():
        _enter(connection, name)
        touched = _touch(connection, name)
    for series_id in sorted(touched):
        schedule(connection, series_id, priority, quiet_seconds, _LONGEST_QUIET * quiet_seconds)


def schedule(connection: Connection, series_id: str, priority: Priority, seconds: float, at_most: float | None = None) -> None:
    """Has a series assessed in so many seconds, also if it was to be assessed earlier or later; a STAT series stays one.

    `at_most`: and so many seconds from now at the latest, if it was not said before until when.
    """
    rank = Rank.STAT if priority is Priority.STAT else Rank.LIVE
    queue = Priority.STAT.value if priority is Priority.STAT else QUEUE
    jobs.postpone(connection, NewJob(ASSESS, series_id, queue, rank), seconds, at_most)


def find(connection: Connection, series_id: str) -> Series:
    """A series as it stands now."""
    both = series.join(studies, studies.c.id == series.c.study_id)
    query = select(series, studies.c.study_key, studies.c.patient_key, now().label("at")).select_from(both)
    row = connection.execute(query.where(series.c.id == series_id)).one()
    name = SeriesName(row.patient_key, row.study_key, row.series_key, row.modality)
    silent = max(0.0, (row.at - row.last_scan_at).total_seconds())
    announced = row.announced if row.asked_at is not None and row.asked_at >= row.last_scan_at else None
    return Series(row.id, row.study_id, name, silent, row.closed_at is not None, announced)


# coalesce keeps SQLite from finding them by their study, which may have ten times as many.
_SLICES: Final = text("""
    SELECT r.scan_id, s.file_id, r.finding, r.probability, r.status, r.reason, r.ensemble, s.orientation,
           (SELECT p.probability FROM verdicts v JOIN probabilities p ON p.verdict_id = v.id
            WHERE v.scan_id = r.scan_id AND v.superseded_at IS NULL AND p.finding = 'covid19') AS covid19,
           s.slice_position_mm AS position_mm, s.kernel, s.slice_thickness_mm AS thickness_mm, s.derivation, s.acquisition,
           s.slices_expected AS expected, s.lung_share, r.priority, r.received_at
    FROM scan_results r JOIN scans s ON s.id = r.scan_id
    WHERE r.series_key = :series_key AND coalesce(r.study_key, '') = :study_key AND coalesce(r.patient_key, '') = :patient_key
      AND coalesce(r.modality, '') = :modality
    ORDER BY r.scan_id
""").columns(received_at=UtcTime)


def slices(connection: Connection, of: Series) -> list[Slice]:
    """The scans of a series with their current verdicts, oldest first; those that wait or are quarantined are not among them."""
    return slices_of(connection, of.name)


def slices_of(connection: Connection, name: SeriesName) -> list[Slice]:
    """The same of a series that is known by its name; none where there is no such series."""
    return [Slice(**row) for row in connection.execute(_SLICES, vars(name)).mappings()]


def close_study(connection: Connection, study_key: str) -> int:
    """A person says that a study is complete: each of its series is assessed at once, as final. How many; 0: there is no such study."""
    mine = select(studies.c.id).where(studies.c.study_key == study_key)
    closed = update(series).where(series.c.study_id.in_(mine)).values(closed_at=now()).returning(series.c.id)
    ids = list(connection.scalars(closed))
    for series_id in ids:
        schedule(connection, series_id, Priority.STAT, 0.0)
    return len(ids)


def _touch(connection: Connection, name: SeriesName) -> dict[str, str]:
    """The series under this UID that there are, each with its modality: all have heard of a scan now."""
    study = select(studies.c.id).where(studies.c.study_key == name.study_key, studies.c.patient_key == name.patient_key)
    mine = and_(series.c.series_key == name.series_key, series.c.study_id == study.scalar_subquery())
    touched = update(series).where(mine).values(last_scan_at=now(), closed_at=None).returning(series.c.id, series.c.modality)
    return {row.id: row.modality for row in connection.execute(touched)}


def _enter(connection: Connection, name: SeriesName) -> None:
    keys = {"study_key": name.study_key, "patient_key": name.patient_key}
    insert_new(connection, studies, id=new_id(), created_at=now(), **keys)
    study_id = connection.scalar(select(studies.c.id).filter_by(**keys))
    insert_new(connection, series, id=new_id(), study_id=study_id, series_key=name.series_key, modality=name.modality, last_scan_at=now())
