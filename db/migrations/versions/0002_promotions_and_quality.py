"""Who promoted what and why; how good each version was found to be; which versions shipped with a Lungline."""

import sqlalchemy as sa
from alembic import op

from db.clock import UtcTime
from lungline.ids import new_id

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the tables; what is champion now begins the list of promotions. Every version so far was shipped."""
    op.add_column("versions", sa.Column("shipped", sa.Boolean(), nullable=False, server_default=sa.true()))
    promotions = op.create_table(
        "promotions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("from_version", sa.String(length=80)),
        sa.Column("to_version", sa.String(length=80), nullable=False),
        sa.Column("promoted_at", UtcTime(), nullable=False),
        sa.Column("promoted_by", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_promotions"),
    )
    op.create_table(
        "quality",
        sa.Column("version", sa.String(length=80), nullable=False),
        sa.Column("data", sa.String(length=32), nullable=False),
        sa.Column("metric", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("low", sa.Double()),
        sa.Column("high", sa.Double()),
        sa.Column("images", sa.Integer()),
        sa.Column("groups", sa.Integer()),
        sa.Column("measured_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("version", "data", "metric", "source", name="pk_quality"),
    )
    connection = op.get_bind()
    versions = sa.table(
        "versions",
        *(sa.column(name) for name in ("version", "kind", "name", "state", "promoted_by", "why")),
        sa.column("promoted_at", UtcTime()),
    )
    champions = sa.select(versions).where(versions.c.kind == "ensemble", versions.c.state == "champion")
    rows = [
        {
            "id": new_id(),
            "name": row.name,
            "action": "promote",
            "from_version": None,
            "to_version": row.version,
            "promoted_at": row.promoted_at,
            "promoted_by": row.promoted_by or "lungline",
            "why": row.why or "shipped",
        }
        for row in connection.execute(champions).all()
    ]
    if rows:
        connection.execute(sa.insert(promotions), rows)
