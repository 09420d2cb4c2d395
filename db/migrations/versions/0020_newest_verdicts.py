"""The newest verdicts, and those that a reader should look at first, are found by an index, however many there are."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

# As the view `worklist` sorts (db/views.py): by these very expressions, or SQLite sorts a million rows.
_ORDER = ("(CASE WHEN finding = 'covid19' THEN 0 ELSE 1 END)", "(CASE WHEN finding = 'covid19' THEN probability END) DESC")
_LISTED = "superseded_at IS NULL AND (finding = 'covid19' OR status = 'review')"


def upgrade() -> None:
    """Two indexes."""
    op.create_index("ix_verdicts_finished_at", "verdicts", ["finished_at"])
    order = [sa.text(expression) for expression in _ORDER]
    op.create_index("ix_verdicts_worklist", "verdicts", order, sqlite_where=sa.text(_LISTED), postgresql_where=sa.text(_LISTED))
