"""Changes of many rows at once, of which one that the database refuses spares the others."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError


def sparing(connection: Connection, change: Callable[[Sequence[str]], object], ids: Sequence[str]) -> list[str]:
    """Makes a change of all of these rows that the database lets be changed; returns the others.

    Args:
        connection: in a transaction.
        change: given ids, changes their rows.
        ids: of the rows.

    Raises:
        OperationalError, DBAPIError: the database itself is not to be had, whatever the row.
    """
    if not ids:
        return []
    try:
        with connection.begin_nested():
            change(ids)
        return []
    except OperationalError:
        raise
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
    if len(ids) == 1:
        return list(ids)
    middle = len(ids) // 2
    return sparing(connection, change, ids[:middle]) + sparing(connection, change, ids[middle:])
