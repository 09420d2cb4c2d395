"""What is said of series and of studies: one current assessment each; a new one supersedes it in the same transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Table, insert, select, update

from db.clock import now
from db.series import find, slices
from db.tables import Priority, Stage, jobs, series, series_assessments, studies, study_assessments
from lungline.findings import Status
from lungline.ids import new_id
from lungline.reasons import Reason

MOST_TELLING: Final = 4
"""Slices of a series that are shown."""


@dataclass(frozen=True)
class Assessment:
    """What series and studies have in common."""

    finding: str | None
    probability: float | None
    status: Status
    stage: Stage
    reason: str | None
    """A reason code (lungline/reasons.py)."""
    priority: Priority
    first_received_at: datetime


@dataclass(frozen=True)
class SeriesAssessment(Assessment):
    """What is said of a series."""

    slices: int
    """That have a verdict."""
    slices_used: int
    slices_expected: int | None
    gaps: int | None
    """How many slices are missing between those that are there; None where positions are not known."""
    ensemble: str | None
    rule: str
    inputs: dict[str, Any]


@dataclass(frozen=True)
class StudyAssessment(Assessment):
    """What is said of a study."""

    modalities: list[str]
    """In alphabetical order."""
    series: int
    scans: int


@dataclass(frozen=True)
class AssessedSeries:
    """A series of a study with its current assessment."""

    series_id: str
    modality: str | None
    is_open: bool
    """Another assessment of it is due."""
    assessment: SeriesAssessment


def telling_scans(inputs: Mapping[str, Any]) -> list[str]:
    """The scans that speak most for a series' finding, by the inputs of its assessment: the film that it follows, or the most suspicious
    slices that count. None of a series that was rejected."""
    if "scan_id" in inputs:
        return [inputs["scan_id"]]
    scores = sorted(inputs.get("scores", []), key=lambda score: -score[-1])
    return [score[0] for score in scores[:MOST_TELLING]]


def write_series(connection: Connection, series_id: str, assessment: SeriesAssessment | None) -> None:
    """Makes an assessment a series' current one, unless that says the same; None: nothing is said of it any more."""
    _write(connection, series_assessments, "series_id", series_id, assessment)


def write_study(connection: Connection, study_id: str, assessment: StudyAssessment | None) -> None:
    """Makes an assessment a study's current one, unless that says the same; None: nothing is said of it any more."""
    _write(connection, study_assessments, "study_id", study_id, assessment)


def _write(connection: Connection, table: Table, subject: str, subject_id: str, assessment: Assessment | None) -> None:
    current = table.c[subject] == subject_id, table.c.superseded_at.is_(None)
    former = connection.execute(select(table).where(*current)).mappings().first()
    if former is not None and assessment is not None and all(former[name] == value for name, value in vars(assessment).items()):
        return
    connection.execute(update(table).where(*current).values(superseded_at=now()))
    if assessment is not None:
        connection.execute(insert(table).values({"id": new_id(), subject: subject_id, "finished_at": now(), **vars(assessment)}))


def give_up_series(connection: Connection, series_id: str) -> None:
    """Says of a series whose job ended its workers too often, and of its study, that a person must look; in the transaction that ends the
    job. The next slice of the series has both assessed anew."""
    of = find(connection, series_id)
    if not (scans := slices(connection, of)):
        return
    given_up: dict[str, Any] = {
        "finding": None,
        "probability": None,
        "status": Status.REVIEW,
        "stage": Stage.FINAL,
        "reason": Reason.INTERNAL_ERROR,
        "priority": Priority(scans[0].priority),
        "first_received_at": scans[0].received_at,
    }
    counts: dict[str, Any] = {"slices": len(scans), "slices_used": 0, "slices_expected": None, "gaps": None}
    lock_study(connection, of.study_id)
    write_series(connection, series_id, SeriesAssessment(**given_up, **counts, ensemble=None, rule="none", inputs={}))
    entries = of_study(connection, of.study_id)
    modalities = sorted({entry.modality for entry in entries if entry.modality})
    images = sum(entry.assessment.slices for entry in entries)
    write_study(connection, of.study_id, StudyAssessment(**given_up, modalities=modalities, series=len(entries), scans=images))


def lock_study(connection: Connection, study_id: str) -> None:
    """Until the transaction ends, no other writes this study's assessment: two of its series may end at once."""
    connection.execute(select(studies.c.id).where(studies.c.id == study_id).with_for_update())


def of_study(connection: Connection, study_id: str) -> list[AssessedSeries]:
    """The series of a study that have been assessed, in the order in which they came."""
    is_open = select(jobs.c.id).where(jobs.c.subject == series.c.id).exists().label("is_open")
    mine = series.join(series_assessments, series_assessments.c.series_id == series.c.id)
    query = select(series.c.id.label("of"), series.c.modality, is_open, series_assessments).select_from(mine)
    query = query.where(series.c.study_id == study_id, series_assessments.c.superseded_at.is_(None)).order_by(series.c.id)
    return [
        AssessedSeries(row["of"], row["modality"] or None, row["is_open"], _series_assessment(row))
        for row in connection.execute(query).mappings()
    ]


def _series_assessment(row: Any) -> SeriesAssessment:
    plain = {name: row[name] for name in SeriesAssessment.__dataclass_fields__}
    typed = {"status": Status(row["status"]), "stage": Stage(row["stage"]), "priority": Priority(row["priority"])}
    return SeriesAssessment(**plain | typed)
