"""What an error of the database means: it is away (an outage), two transactions met (a conflict), or the statement is wrong (a fault).

SQLite names its kinds by result codes (https://www.sqlite.org/rescode.html), PostgreSQL by SQLSTATE (appendix A of its manual). The classes
of Python's drivers do not tell them apart: on SQLite `OperationalError` is a full disk as well as a column that is not there.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from lungline.errors import LedgerError, LedgerFault, LunglineError

_PRIMARY: Final = 0xFF  # of SQLite's extended codes

# What is wrong with the file, the disk or the machine; no statement is to blame.
_SQLITE_OUTAGES: Final = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_NOTADB,
    }
)

# SQLSTATE, by how it begins.
_POSTGRESQL_OUTAGES: Final = (
    "08",  # connection
    "25006",  # the server is read-only: a standby after a failover
    "28",  # password or user
    "3D",  # the database is not there
    "40",  # a conflict that did not end
    "42501",  # rights were taken away
    "53",  # disk full, out of memory, too many connections
    "55P03",  # a lock was not to be had
    "57",  # shut down, cancelled by a timeout
    "58",  # files of the server
    "XX001",  # damaged data
    "XX002",  # damaged index
)
_CONFLICTS: Final = frozenset({"40001", "40P01"})  # not serializable, deadlock


def is_conflict(error: BaseException) -> bool:
    """Whether two transactions met, and this one was broken off: the same is likely to pass when it is tried at once."""
    return getattr(_driver_s(error), "sqlstate", None) in _CONFLICTS


def is_outage(error: BaseException) -> bool:
    """Whether the database cannot be used now, whatever is asked of it: the same may pass later."""
    if isinstance(error, (NoConnectionFree, PendingRollbackError)):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    driver_s = _driver_s(error)
    if isinstance(driver_s, sqlite3.Error):
        code = getattr(driver_s, "sqlite_errorcode", None)
        return code is not None and code & _PRIMARY in _SQLITE_OUTAGES
    state = getattr(driver_s, "sqlstate", None)
    if state is None:  # psycopg's own: a connection that cannot be made, or broke
        return isinstance(error, DBAPIError) and type(driver_s).__name__ == "OperationalError"
    return str(state).startswith(_POSTGRESQL_OUTAGES)


def translate(error: Exception) -> Exception:
    """The error to tell of: LedgerError for an outage, LedgerFault for a fault, neither with a driver's words, which may quote a row.

    What does not come from the database is handed back as it is.
    """
    if isinstance(error, LunglineError):
        return error
    if not isinstance(error, (SQLAlchemyError, OSError, UnicodeError, OverflowError)):
        return error  # these two: a value that the driver cannot hand over
    if isinstance(error, OSError) or is_outage(error):
        return LedgerError(f"The database cannot be used ({name(error)}); see LUNGLINE_DATABASE_URL and the disk's free space.")
    return LedgerFault(
        f"The database refuses a statement of Lungline ({name(error)}): run `lungline db upgrade`. If that changes nothing, this is a "
        "fault of Lungline: report it with this message."
    )


@contextmanager
def translating() -> Iterator[None]:
    """Within the block, errors of the database are raised as `translate` has them."""
    try:
        yield
    except SQLAlchemyError as error:
        raise translate(error) from None


def name(error: BaseException) -> str:
    """The class of an error, and its code where the database gave one."""
    driver_s = _driver_s(error)
    code = getattr(driver_s, "sqlstate", None) or getattr(driver_s, "sqlite_errorname", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__


def _driver_s(error: BaseException) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error
