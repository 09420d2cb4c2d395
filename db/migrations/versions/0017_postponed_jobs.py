"""Until when a job may be postponed, and when it was: neither slices that never end nor a clock that is set back hold an assessment up."""

import sqlalchemy as sa
from alembic import op

from db.clock import UtcTime

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Jobs that are open already have neither."""
    op.add_column("jobs", sa.Column("due_set_at", UtcTime()))
    op.add_column("jobs", sa.Column("latest_at", UtcTime()))
