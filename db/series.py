"""Series and studies: which there are, and what lies in each. Their assessments are in db/assessments.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, select, text, update

from db import jobs
from db.clock import UtcTime, now
from db.insert import insert_new
from db.insert import slices as in_pieces
from db.jobs import NewJob
from db.tables import Priority, Rank, series, studies
from lungline.ids import new_id

ASSESS: Final = "assess"  # the kind of job that says what a series shows
QUEUE: Final = "assess"
QUIET_SECONDS: Final = 60.0
FINAL_SECONDS: Final = 900.0


@dataclass(frozen=True)
class Slice:
    """A scan of a series with its current verdict."""

    scan_id: str
    modality: str | None
    view: str | None
    finding: str | None
    probability: float | None
    status: str
    reason: str | None
    covid19: float | None
    """The probability of covid19; None if the scan was rejected."""
    ensemble: str
    orientation: str | None
    instance_number: int | None
    position_mm: float | None
    kernel: str | None
    thickness_mm: float | None
    derivation: str | None
    acquisition: int | None
    expected: int | None
    lung_share: float | None
    priority: str
    received_at: datetime


@dataclass(frozen=True)
class Series:
    """A series as it is to be assessed."""

    series_id: str
    study_id: str
    study_key: str
    series_key: str
    patient_key: str | None
    modality: str | None
    silent_seconds: float
    """Since the latest verdict of one of its scans."""
    is_closed: bool
    """A person said that it is complete."""


def note_scan(
    connection: Connection,
    patient_key: str | None,
    study_key: str | None,
    series_key: str | None,
    modality: str | None,
    priority: Priority,
    quiet_seconds: float,
) -> None:
    """A scan of a series has a new verdict: the series is to be assessed once it was quiet for so long. In the verdict's transaction.

    A scan that names no study or no series belongs to none; its verdict is all that is said of it.
    """
    if not study_key or not series_key:
        return
    names = {"patient_key": patient_key or "", "study_key": study_key, "series_key": series_key, "modality": modality or ""}
    series_id = _touch(connection, names) or _enter(connection, names)
    schedule(connection, series_id, priority, quiet_seconds)


def schedule(connection: Connection, series_id: str, priority: Priority, seconds: float) -> None:
    """Has a series assessed in so many seconds, also if it was to be assessed earlier or later; a STAT series stays one."""
    rank = Rank.STAT if priority is Priority.STAT else Rank.LIVE
    queue = Priority.STAT.value if priority is Priority.STAT else QUEUE
    jobs.postpone(connection, NewJob(ASSESS, series_id, queue, rank), seconds)


def find(connection: Connection, series_ids: Sequence[str]) -> dict[str, Series]:
    """Series as they stand now, by their ids."""
    both = series.join(studies, studies.c.id == series.c.study_id)
    query = select(series, studies.c.study_key, studies.c.patient_key, now().label("at")).select_from(both)
    found: dict[str, Series] = {}
    for some in in_pieces(series_ids):
        for row in connection.execute(query.where(series.c.id.in_(some))):
            silent = max(0.0, (row.at - row.last_scan_at).total_seconds())
            patient_key, modality, is_closed = row.patient_key or None, row.modality or None, row.closed_at is not None
            found[row.id] = Series(row.id, row.study_id, row.study_key, row.series_key, patient_key, modality, silent, is_closed)
    return found


_SLICES: Final = text("""
    SELECT r.scan_id, r.modality, r.view, r.finding, r.probability, r.status, r.reason, p.probability AS covid19, r.ensemble, s.orientation,
           s.instance_number, s.slice_position_mm AS position_mm, s.kernel, s.slice_thickness_mm AS thickness_mm, s.derivation,
           s.acquisition, s.slices_expected AS expected, s.lung_share, r.priority, r.received_at
    FROM scan_results r JOIN scans s ON s.id = r.scan_id
    LEFT JOIN scan_probabilities p ON p.scan_id = r.scan_id AND p.finding = 'covid19'
    WHERE r.series_key = :series_key AND r.study_key = :study_key AND coalesce(r.patient_key, '') = :patient_key
      AND coalesce(r.modality, '') = :modality
    ORDER BY r.scan_id
""").columns(received_at=UtcTime)


def slices(connection: Connection, of: Series) -> list[Slice]:
    """The scans of a series with their current verdicts, oldest first; those that wait or are quarantined are not among them."""
    names = {
        "series_key": of.series_key,
        "study_key": of.study_key,
        "patient_key": of.patient_key or "",
        "modality": of.modality or "",
    }
    return [Slice(**row) for row in connection.execute(_SLICES, names).mappings()]


def close_study(connection: Connection, study_key: str) -> int:
    """A person says that a study is complete: each of its series is assessed at once, as final. How many; 0: there is no such study."""
    mine = select(studies.c.id).where(studies.c.study_key == study_key)
    closed = update(series).where(series.c.study_id.in_(mine)).values(closed_at=now()).returning(series.c.id)
    ids = list(connection.scalars(closed))
    for series_id in ids:
        schedule(connection, series_id, Priority.STAT, 0.0)
    return len(ids)


def _touch(connection: Connection, names: dict[str, str]) -> str | None:
    study = select(studies.c.id).where(studies.c.study_key == names["study_key"], studies.c.patient_key == names["patient_key"])
    mine = and_(
        series.c.series_key == names["series_key"], series.c.modality == names["modality"], series.c.study_id == study.scalar_subquery()
    )
    found: str | None = connection.scalar(update(series).where(mine).values(last_scan_at=now(), closed_at=None).returning(series.c.id))
    return found


def _enter(connection: Connection, names: dict[str, str]) -> str:
    study = {"study_key": names["study_key"], "patient_key": names["patient_key"]}
    insert_new(connection, studies, id=new_id(), created_at=now(), **study)
    study_id = connection.scalar(
        select(studies.c.id).where(studies.c.study_key == study["study_key"], studies.c.patient_key == study["patient_key"])
    )
    own = {"study_id": study_id, "series_key": names["series_key"], "modality": names["modality"]}
    insert_new(connection, series, id=new_id(), last_scan_at=now(), **own)
    found: str | None = _touch(connection, names)
    assert found is not None
    return found
