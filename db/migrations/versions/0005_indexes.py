"""Indexes for what is counted every second, and for what `lungline reconcile` and `lungline drop` look up by file."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Makes them; on a large ledger that takes some seconds."""
    op.create_index("ix_files_outcome", "files", ["outcome"])
    op.create_index("ix_quarantine_file_id", "quarantine", ["file_id"])
