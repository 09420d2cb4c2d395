"""Series and studies, what is said of each, and the facts of each slice that they are put together by."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from db.clock import UtcTime

revision = "0010"
down_revision = "0009"

_FACTS: dict[str, Any] = {
    "body_part": sa.String(length=8),
    "orientation": sa.String(length=8),
    "instance_number": sa.Integer(),
    "slice_position_mm": sa.Double(),
    "slice_thickness_mm": sa.Double(),
    "slice_spacing_mm": sa.Double(),
    "kernel": sa.String(length=8),
    "derivation": sa.String(length=12),
    "acquisition": sa.Integer(),
    "slices_expected": sa.Integer(),
    "lung_share": sa.Double(),
    "header_version": sa.Integer(),
}


def upgrade() -> None:
    """Scans that are there already get their facts, and their series, by `lungline reprocess --headers`."""
    for name, kind in _FACTS.items():
        op.add_column("scans", sa.Column(name, kind))
    op.create_index("ix_scans_series_key", "scans", ["series_key"])
    op.create_table(
        "studies",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study_key", sa.String(length=16), nullable=False),
        sa.Column("patient_key", sa.String(length=16), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_studies"),
        sa.UniqueConstraint("study_key", "patient_key", name="uq_studies_study_key_patient_key"),
    )
    op.create_index("ix_studies_patient_key", "studies", ["patient_key"])
    op.create_table(
        "series",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("series_key", sa.String(length=16), nullable=False),
        sa.Column("modality", sa.String(length=4), nullable=False),
        sa.Column("last_scan_at", UtcTime(), nullable=False),
        sa.Column("closed_at", UtcTime()),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_series_study_id"),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.UniqueConstraint("study_id", "series_key", "modality", name="uq_series_study_id_series_key_modality"),
    )
    op.create_index("ix_series_series_key", "series", ["series_key"])
    _make_assessments(
        "series_assessments",
        "series",
        "series",
        sa.Column("slices", sa.Integer(), nullable=False),
        sa.Column("slices_used", sa.Integer(), nullable=False),
        sa.Column("slices_expected", sa.Integer()),
        sa.Column("gaps", sa.Integer()),
        sa.Column("ensemble", sa.String(length=64)),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
    )
    _make_assessments(
        "study_assessments",
        "study",
        "studies",
        sa.Column("modalities", sa.JSON(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
    )


def _make_assessments(name: str, subject: str, subjects: str, *more: "sa.Column[Any]") -> None:
    op.create_table(
        name,
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column(f"{subject}_id", sa.String(length=36), nullable=False),
        sa.Column("finding", sa.String(length=16)),
        sa.Column("probability", sa.Double()),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("stage", sa.String(length=11), nullable=False),
        sa.Column("reason", sa.String(length=32)),
        sa.Column("priority", sa.String(length=5), nullable=False),
        sa.Column("first_received_at", UtcTime(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=False),
        sa.Column("superseded_at", UtcTime()),
        *more,
        sa.CheckConstraint("stage in ('provisional', 'final')", name=f"ck_{name}_stage"),
        sa.ForeignKeyConstraint([f"{subject}_id"], [f"{subjects}.id"], name=f"fk_{name}_{subject}_id"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
    )
    op.create_index(f"ix_{name}_{subject}_id", name, [f"{subject}_id"])
    is_current = sa.text("superseded_at IS NULL")
    op.create_index(f"uq_{name}_current", name, [f"{subject}_id"], unique=True, sqlite_where=is_current, postgresql_where=is_current)
