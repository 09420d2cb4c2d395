"""Queues can be paused, and what waits in each is counted by an index."""

import sqlalchemy as sa
from alembic import op

from db.clock import UtcTime

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """A table, and one index for another that begins alike."""
    op.create_table(
        "paused_queues",
        sa.Column("queue", sa.String(length=16), nullable=False),
        sa.Column("paused_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("queue", name="pk_paused_queues"),
    )
    op.drop_index("ix_jobs_kind_state_created_at", "jobs")
    op.create_index("ix_jobs_kind_state_created_at_queue", "jobs", ["kind", "state", "created_at", "queue"])
