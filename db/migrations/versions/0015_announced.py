"""How many images a series has, as the PACS said."""

import sqlalchemy as sa
from alembic import op

from db.clock import UtcTime

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """The number, and when it was asked for."""
    op.add_column("series", sa.Column("announced", sa.Integer()))
    op.add_column("series", sa.Column("asked_at", UtcTime()))
