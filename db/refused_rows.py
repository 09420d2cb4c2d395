"""Changes of many rows at once, of which one that the database refuses spares the others."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from db.errors import is_outage
from lungline.halves import by_halves


def change_rows(connection: Connection, change: Callable[[Sequence[str]], object], ids: Sequence[str]) -> list[str]:
    """Makes a change of all of these rows that the database lets be changed; returns the others.

    Args:
        connection: in a transaction.
        change: given ids, changes their rows.
        ids: of the rows.

    Raises:
        DBAPIError: the database itself is not to be had, whatever the row.
    """

    def step(some: Sequence[str]) -> list[str]:
        with connection.begin_nested():
            change(some)
        return []

    return by_halves(step, ids, lambda id, _: id, is_outage)
