"""The first page of the worklist is found by indexes, however many studies there are."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """One for the surest covid19, one for what is for review."""
    for name, column, rows in (("surest", "probability", "finding = 'covid19'"), ("review", "first_received_at", "status = 'review'")):
        where = sa.text(f"superseded_at IS NULL AND {rows}")
        op.create_index(f"ix_study_assessments_{name}", "study_assessments", [column], sqlite_where=where, postgresql_where=where)
