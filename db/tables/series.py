"""The tables of studies and series, and what was said of each: assessments, of which one is current."""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    text,
)

from db.clock import UtcTime
from db.tables.base import id_column, metadata


class Stage(StrEnum):
    """How far an assessment may be relied on."""

    PROVISIONAL = "provisional"
    """Slices may still come."""
    FINAL = "final"
    """None is expected any more; one that comes all the same supersedes it."""


# Keys are pseudonyms; the empty text stands where a file names no patient, since NULL would equal nothing.
studies = Table(
    "studies",
    metadata,
    id_column(),
    Column("study_key", String(16), nullable=False),
    Column("patient_key", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("study_key", "patient_key"),
)
Index("ix_studies_patient_key", studies.c.patient_key)

series = Table(
    "series",
    metadata,
    id_column(),
    Column("study_id", String(36), ForeignKey("studies.id"), nullable=False),
    Column("series_key", String(16), nullable=False),
    Column("modality", String(4), nullable=False),  # empty where no image of it is of a modality that is read
    Column("last_scan_at", UtcTime, nullable=False),  # when the latest verdict of one of its scans was written
    Column("closed_at", UtcTime),  # when a person said that it is complete; NULL once another slice came
    Column("announced", Integer),  # how many images it has, as the PACS said; NULL: it did not know
    Column("asked_at", UtcTime),  # when the PACS was asked; NULL: never
    UniqueConstraint("study_id", "series_key", "modality"),
)
Index("ix_series_series_key", series.c.series_key)


def _said_of(subject: str) -> tuple[Column[Any], ...]:
    """What an assessment of a series and one of a study share."""
    return (
        id_column(),
        Column(f"{subject}_id", String(36), ForeignKey(f"{'studies' if subject == 'study' else 'series'}.id"), nullable=False),
        Column("finding", String(16)),  # NULL for rejected alone
        Column("probability", Double),
        Column("status", String(8), nullable=False),
        Column("stage", String(11), nullable=False),
        Column("reason", String(32)),
        Column("priority", String(5), nullable=False),
        Column("first_received_at", UtcTime, nullable=False),
        Column("finished_at", UtcTime, nullable=False),
        Column("superseded_at", UtcTime),
    )


series_assessments = Table(
    "series_assessments",
    metadata,
    *_said_of("series"),
    Column("slices", Integer, nullable=False),
    Column("slices_used", Integer, nullable=False),
    Column("slices_expected", Integer),
    Column("gaps", Integer),  # NULL where positions are not known
    Column("ensemble", String(64)),
    Column("rule", String(64), nullable=False),
    Column("inputs", JSON, nullable=False),  # of the rule: what it was given, so that its answer can be made once more
    CheckConstraint("stage in ('provisional', 'final')", name="stage"),
)
study_assessments = Table(
    "study_assessments",
    metadata,
    *_said_of("study"),
    Column("modalities", JSON, nullable=False),
    Column("series", Integer, nullable=False),
    Column("scans", Integer, nullable=False),
    CheckConstraint("stage in ('provisional', 'final')", name="stage"),
)
Index("ix_study_assessments_finished_at", study_assessments.c.finished_at)
for _table, _subject in ((series_assessments, "series_id"), (study_assessments, "study_id")):
    Index(f"ix_{_table.name}_{_subject}", _table.c[_subject])
    Index(
        f"uq_{_table.name}_current",
        _table.c[_subject],
        unique=True,
        sqlite_where=text("superseded_at IS NULL"),
        postgresql_where=text("superseded_at IS NULL"),
    )
Index(
    "ix_study_assessments_current_finished_at",
    study_assessments.c.finished_at,
    sqlite_where=text("superseded_at IS NULL"),
    postgresql_where=text("superseded_at IS NULL"),
)
# The worklist (db/worklists.py): what is surest covid19, and what is for review since when.
for _name, _column, _rows in (
    ("surest", study_assessments.c.probability, "finding = 'covid19'"),
    ("review", study_assessments.c.first_received_at, "status = 'review'"),
):
    Index(
        f"ix_study_assessments_{_name}",
        _column,
        sqlite_where=text(f"superseded_at IS NULL AND {_rows}"),
        postgresql_where=text(f"superseded_at IS NULL AND {_rows}"),
    )
