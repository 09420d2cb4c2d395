"""Which scans a reprocess was asked for, and by which champions, is kept in typed columns: until now it was the text of its options."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from db.clock import UtcTime

revision = "0008"
down_revision = "0007"

_NEW: tuple[sa.Column[Any], ...] = (
    sa.Column("since", UtcTime()),
    sa.Column("finding", sa.String(length=16)),
    sa.Column("status", sa.String(length=8)),
    sa.Column("champions", sa.JSON()),
)


def upgrade() -> None:
    """Reads the text of each row into the new columns, so that a reprocess that was stopped before the update goes on after it."""
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, asked, champions FROM reprocesses")).all()
    with op.batch_alter_table("reprocesses") as reprocesses:
        reprocesses.drop_column("asked")
        reprocesses.drop_column("champions")
    with op.batch_alter_table("reprocesses") as reprocesses:
        for column in _NEW:
            reprocesses.add_column(column)
    table = sa.table("reprocesses", sa.column("id"), *(sa.column(column.name, column.type) for column in _NEW))
    for row in rows:
        champions = dict(pair.split("=", 1) for pair in row.champions.split(",") if "=" in pair)
        values = {**_filters(row.asked), "champions": champions}
        connection.execute(sa.update(table).where(table.c.id == row.id).values(values))
    with op.batch_alter_table("reprocesses") as reprocesses:
        reprocesses.alter_column("champions", nullable=False)


def _filters(asked: str) -> dict[str, Any]:
    """`--since TIME --finding FINDING --status STATUS`, each of them or none; or `--all`."""
    words = asked.split()
    options = dict(zip(words[::2], words[1::2], strict=False))
    since = options.get("--since")
    return {
        "since": datetime.fromisoformat(since) if since else None,
        "finding": options.get("--finding"),
        "status": options.get("--status"),
    }
