"""What is sent of a study: its assessment, those of its series, and the images that tell most of each."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from db import assessments, shown_images
from db.assessments import SeriesAssessment, telling_scans
from db.shown_images import ShownImage
from db.tables import study_assessments
from workers.series_findings import suspicion


@dataclass(frozen=True)
class ShownSeries:
    """A series with its current assessment."""

    modality: str | None
    assessment: SeriesAssessment
    images: tuple[ShownImage, ...]
    """The most telling first; none of a series that was rejected."""


@dataclass(frozen=True)
class Evidence:
    """What is said of a study, and by what."""

    finding: str | None
    probability: float | None
    status: str
    stage: str
    reason: str | None
    series: tuple[ShownSeries, ...]
    """The one that the study is judged by first."""


def gather(connection: Connection, study_id: str, assessment_id: str) -> Evidence:
    """What there is to be sent of a study's current assessment; in one transaction, so that it is of one moment."""
    row = connection.execute(select(study_assessments).where(study_assessments.c.id == assessment_id)).one()
    entries = sorted(
        assessments.of_study(connection, study_id),
        key=lambda entry: (suspicion(entry.assessment.finding, entry.assessment.probability), entry.series_id),
    )
    shown = [ShownSeries(entry.modality, entry.assessment, _images(connection, entry.assessment)) for entry in entries]
    return Evidence(row.finding, row.probability, row.status, row.stage, row.reason, tuple(shown))


def _images(connection: Connection, assessment: SeriesAssessment) -> tuple[ShownImage, ...]:
    return tuple(shown_images.find(connection, telling_scans(assessment.inputs)))
