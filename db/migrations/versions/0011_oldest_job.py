"""Since when the oldest job of a kind has waited is found by an index, however many wait."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """One index for another that begins alike."""
    op.drop_index("ix_jobs_kind_state", "jobs")
    op.create_index("ix_jobs_kind_state_created_at", "jobs", ["kind", "state", "created_at"])
