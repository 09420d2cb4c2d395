"""Has the headers of old scans read again, for facts that an earlier version did not look for; their verdicts stay."""

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine

from db import audit, errors, headers
from db.audit import Action
from db.migrate import open_database
from lungline.errors import LedgerError
from lungline.progress import Progress, silent
from lungline.settings import Settings

_POLL_SECONDS: Final = 0.5
_MOST: Final = 500  # scans that wait at a time
_BEHIND_ALL: Final = "g"  # ids are hexadecimal


@dataclass(frozen=True)
class HeadersRead:
    """What came of it."""

    headers_read: int
    """By this call; those that could not be read keep the facts that they have, and count as well."""
    left: int
    """Asked again, it goes on."""


def read_headers(settings: Settings, stopped: threading.Event, *, progress: Progress = silent) -> HeadersRead:
    """Has the headers of all scans read whose facts are of an earlier version; returns when all are, or `stopped` is set.

    Raises:
        LedgerError: the database cannot be reached at the start or the end; in between, it is waited for.
    """
    engine = open_database(settings)
    with engine.begin() as connection:
        audit.note(connection, Action.REPROCESS, "began: --headers")
        total = headers.count_left(connection) + headers.count_open(connection)
    with progress("headers read", total) as step:
        cursor, open_ = "", total
        while open_ and not stopped.is_set():
            with suppress(LedgerError), errors.translating():
                before = open_
                cursor, open_ = _turn(engine, cursor)
                step(max(0, before - open_))
            stopped.wait(_POLL_SECONDS)
    with engine.begin() as connection:
        headers.call_back(connection)
        left = headers.count_left(connection)
        audit.note(connection, Action.REPROCESS, f"{'stopped' if left else 'ended'}: --headers, {left} left")
    engine.dispose()
    return HeadersRead(total - left, left)


def _turn(engine: Engine, cursor: str) -> tuple[str, int]:
    """Asks for more; up to which id, and how many are still to be read."""
    with engine.begin() as connection:
        room = _MOST - headers.count_open(connection)
        asked = headers.ask(connection, cursor, room) if room > 0 else []
        left = headers.count_left(connection) + headers.count_open(connection)
    if room <= 0:
        return cursor, left
    return asked[-1] if asked else ("" if left else _BEHIND_ALL), left
