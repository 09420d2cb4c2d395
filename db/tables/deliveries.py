"""The tables of results that are sent to others."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from db.clock import UtcTime
from db.tables.base import id_column, metadata

outgoing_objects = Table(
    "outgoing_objects",
    metadata,
    id_column(),
    Column("study_id", String(36), ForeignKey("studies.id"), nullable=False),
    Column("assessment_id", String(36), ForeignKey("study_assessments.id"), nullable=False),
    Column("target", String(200), nullable=False),  # as LUNGLINE_DELIVER_TO names it
    Column("object", String(2), nullable=False),
    Column("number", Integer, nullable=False),  # of the objects of this kind that were made for the study and target, from 1
    Column("attempts", Integer, nullable=False),
    Column("reason", String(32)),  # why the latest attempt failed
    Column("outcome", String(10)),  # NULL: its job is open
    Column("created_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    CheckConstraint("object in ('sc', 'sr')", name="object"),
    CheckConstraint("outcome in ('delivered', 'failed', 'superseded')", name="outcome"),
    UniqueConstraint("assessment_id", "target", "object"),
)
Index("ix_outgoing_objects_study_id", outgoing_objects.c.study_id)
Index("ix_outgoing_objects_outcome", outgoing_objects.c.outcome)

delivery_targets = Table(  # for which time assessments were looked at, for each target
    "delivery_targets",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("since", UtcTime, nullable=False),  # when it was named first: what was assessed before is not sent
    Column("looked_at", UtcTime, nullable=False),
)
