"""Rows that may be there already: inserted unless a unique key is taken, by what SQLite and PostgreSQL both offer."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

_MOST_IN_A_LIST = 500  # parameters; a database takes only so many


def insert_into(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that may say what happens where a unique key is taken, as the database at hand writes it."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_new(connection: Connection, table: Table, **values: object) -> bool:
    """Inserts a row unless one of its unique keys is taken, which the database decides; tells whether it did."""
    statement = insert_into(connection, table).values(values).on_conflict_do_nothing().returning(*table.primary_key)
    return connection.execute(statement).first() is not None


def insert_all(connection: Connection, table: Table, returned: Column[str], rows: Sequence[dict[str, object]], **same: object) -> set[str]:
    """Inserts many rows, `same` in each, but those of which a unique key is taken; the column `returned` of those that were inserted."""
    if not rows:
        return set()
    statement = insert_into(connection, table).values(same).on_conflict_do_nothing().returning(returned)
    return set(connection.scalars(statement, rows))


def slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """A list in pieces that a database takes as parameters."""
    for start in range(0, len(items), _MOST_IN_A_LIST):
        yield items[start : start + _MOST_IN_A_LIST]
