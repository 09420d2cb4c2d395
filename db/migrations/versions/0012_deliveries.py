"""Results are sent to others: a row a delivery, and how far the assessments were looked at for each target."""

import sqlalchemy as sa
from alembic import op

from db.clock import UtcTime

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Two tables, and an index by which new assessments are found."""
    op.create_table(
        "outgoing_objects",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("assessment_id", sa.String(length=36), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("object", sa.String(length=2), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=32)),
        sa.Column("outcome", sa.String(length=10)),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime()),
        sa.CheckConstraint("object in ('sc', 'sr')", name="ck_outgoing_objects_object"),
        sa.CheckConstraint("outcome in ('delivered', 'failed', 'superseded')", name="ck_outgoing_objects_outcome"),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_outgoing_objects_study_id"),
        sa.ForeignKeyConstraint(["assessment_id"], ["study_assessments.id"], name="fk_outgoing_objects_assessment_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outgoing_objects"),
        sa.UniqueConstraint("assessment_id", "target", "object", name="uq_outgoing_objects_assessment_id_target_object"),
    )
    op.create_index("ix_outgoing_objects_study_id", "outgoing_objects", ["study_id"])
    op.create_index("ix_outgoing_objects_outcome", "outgoing_objects", ["outcome"])
    op.create_table(
        "delivery_targets",
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("looked_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("target", name="pk_delivery_targets"),
    )
    op.create_index("ix_study_assessments_finished_at", "study_assessments", ["finished_at"])
