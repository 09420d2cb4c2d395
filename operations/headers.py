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
from lungline.progress import Progress, Step, silent
from lungline.settings import Settings

_POLL_SECONDS: Final = 0.5
_MOST: Final = 500  # scans that wait at a time


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
        _feed(engine, stopped, step)
    with engine.begin() as connection:
        headers.call_back(connection)
        left = headers.count_left(connection) + headers.count_open(connection)
        audit.note(connection, Action.REPROCESS, f"{'stopped' if left else 'ended'}: --headers, {left} left")
    engine.dispose()
    return HeadersRead(total - left, left)


def _feed(engine: Engine, stopped: threading.Event, step: Step) -> None:
    """Keeps some waiting until all were read, or it is stopped. An archive is gone through once, by ids, and never counted on the way."""
    cursor, open_ = "", 0
    while not stopped.is_set():
        with suppress(LedgerError), errors.translating():  # the database is away; what was asked for stays asked for
            with engine.begin() as connection:
                still = headers.count_open(connection)
                asked = headers.ask(connection, cursor, _MOST - still) if still < _MOST else []
            step(max(0, open_ - still))
            if not asked and still == 0:
                return
            cursor, open_ = asked[-1] if asked else cursor, still + len(asked)
        stopped.wait(_POLL_SECONDS)
