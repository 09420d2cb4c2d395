"""What a training run packed into text becomes JSON: its recipes a list; its splits, libraries and settings each names with values."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_PAIRS = ("split", "libraries", "settings")
_COLUMNS = ("recipes", *_PAIRS)


def upgrade() -> None:
    """The view `training_runs` shows the same text as before."""
    connection = op.get_bind()
    before = connection.execute(sa.text(f"SELECT id, {', '.join(_COLUMNS)} FROM runs")).mappings().all()
    with op.batch_alter_table("runs") as runs:
        for column in _COLUMNS:
            runs.drop_column(column)
    with op.batch_alter_table("runs") as runs:
        for column in _COLUMNS:
            runs.add_column(sa.Column(column, sa.JSON(none_as_null=True)))
    table = sa.table("runs", sa.column("id"), *(sa.column(column, sa.JSON(none_as_null=True)) for column in _COLUMNS))
    for row in before:
        values = {column: _pairs(row[column]) for column in _PAIRS}
        connection.execute(sa.update(table).where(table.c.id == row["id"]).values(recipes=_names(row["recipes"]), **values))
    with op.batch_alter_table("runs") as runs:
        runs.alter_column("recipes", nullable=False)


def _names(text: str) -> list[str]:
    return text.split(",") if text else []


def _pairs(text: str | None) -> dict[str, str | int] | None:
    """Of `train 60, val 36`. What was cut at the column's end stays cut."""
    if text is None:
        return None
    pairs = (pair.partition(" ") for pair in text.split(", "))
    return {name: int(value) if value.isdecimal() else value for name, _, value in pairs}
