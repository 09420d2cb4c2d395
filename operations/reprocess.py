"""Has old scans read again by the present champions, behind all live work, and tells what changed."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Engine

from db import audit, errors, rereads
from db.audit import Action
from db.migrate import open_database
from db.rereads import Change, Choice, Order
from lungline.errors import LedgerError
from lungline.findings import Status
from lungline.progress import Progress, Step, silent
from lungline.settings import Settings

_BEHIND_ALL: Final = "g"  # ids are hexadecimal
_POLL_SECONDS: Final = 0.5
_FEWEST, _MOST = 4, 500  # scans asked for at a time: few until a worker answers with the champion
_SILENT_SECONDS: Final = 60.0
_SILENCE: Final = (
    "Nothing was reread for a minute: see `lungline status`, and the log of inference-0 for problems with loading the champion."
)


@dataclass(frozen=True)
class Reprocessed:
    """What came of a reprocess."""

    read_again: int  # by this call; a former one that was stopped may have read others
    failed: dict[str, int]  # reason -> scans that could not be read; their verdicts stand
    left: int  # scans that are still to be read: asked again, it goes on
    changes: list[Change]  # since it was begun

    @property
    def text(self) -> str:
        """In one line."""
        findings = sum(change.scans for change in self.changes if change.finding != change.finding_before)
        statuses = sum(change.scans for change in self.changes if change.status != change.status_before)
        parts = [f"{self.read_again} read again", f"{findings} findings and {statuses} statuses changed"]
        parts += [f"{count} cannot be read ({reason})" for reason, count in sorted(self.failed.items())]
        return "; ".join([*parts, *([f"{self.left} left; run the same command to go on"] if self.left else [])]) + "."


def reprocess(
    settings: Settings,
    stopped: threading.Event,
    *,
    since: datetime | None = None,
    finding: str | None = None,
    status: Status | None = None,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda _: None,
) -> Reprocessed:
    """Has scans read again whose verdict is not the present champion's; returns when all are, or `stopped` is set.

    Args:
        settings: of this home.
        stopped: set by whoever wants it to stop; the same choice asked again goes on.
        since: only scans taken in since then.
        finding: only scans with this finding.
        status: only scans with this status.
        progress: shows how many are read.
        say: takes what a person who waits should know.

    Raises:
        LedgerError: the database cannot be reached at the start or the end; in between, it is waited for.
    """
    engine = open_database(settings)
    with engine.begin() as connection:
        order = rereads.begin(connection, Choice(since, finding, status))
        audit.note(connection, Action.REPROCESS, f"{'went on' if order.resumed else 'began'}: {order.choice.text}", subject=order.id)
        total = rereads.left(connection, order.choice) + len(rereads.asked(connection))
    if order.resumed:
        say(f"Going on with the reprocess that was started at {order.began_at.isoformat(timespec='seconds')}.")
    with progress("read again", total) as step:
        feeder = _Feeder(engine, order.choice, step, say)
        feeder.run(stopped)
    return _finish(engine, order, feeder.read_again)


def _finish(engine: Engine, order: Order, read_again: int) -> Reprocessed:
    with engine.begin() as connection:
        left = rereads.left(connection, order.choice) + len(rereads.asked(connection))
        done = Reprocessed(read_again, rereads.failures(connection), left, rereads.changes(connection, order))
        if not left:
            rereads.end(connection, order)
        audit.note(connection, Action.REPROCESS, f"{'stopped' if left else 'ended'}: {done.text}", subject=order.id)
    engine.dispose()
    return done


@dataclass
class _Feeder:
    """Keeps some scans waiting to be read again; which have been is in the database, so that any other may go on."""

    engine: Engine
    choice: Choice
    step: Step
    say: Callable[[str], None]
    read_again: int = 0
    _open: set[str] = field(default_factory=set)
    _most: int = _FEWEST
    _cursor: str = ""
    _put_off: bool = False
    _heard: float = field(default_factory=time.monotonic)

    def run(self, stopped: threading.Event) -> None:
        """Until all are read, or it is stopped."""
        while not stopped.is_set():
            with suppress(LedgerError), errors.translating():  # the database is away; what was asked for stays asked for
                if not self._turn() and not self._open:
                    if not self._put_off:
                        return
                    self._cursor, self._put_off = "", False  # once more for those that a former champion answered for
            if time.monotonic() - self._heard > _SILENT_SECONDS:
                self._heard = time.monotonic()
                self.say(_SILENCE)
            stopped.wait(_POLL_SECONDS)
        with self.engine.begin() as connection:
            rereads.call_back(connection)

    def _turn(self) -> bool:
        """Counts what has ended, and asks for more; False if there is no more from here on."""
        with self.engine.begin() as connection:
            still = rereads.asked(connection)
            ended = rereads.ended(connection, self._open - still)
            room = max(0, self._most - len(still))
            asked = rereads.ask(connection, self.choice, self._cursor, room) if room else []
        self._open = still | set(asked)
        if room:
            self._cursor = asked[-1] if asked else _BEHIND_ALL  # an archive is not searched in vain twice a second
        self.read_again += ended.anew
        if ended.anew or ended.failed:
            self.step(ended.anew + ended.failed)
            self._heard = time.monotonic()
        if ended.put_off:
            self._put_off, self._most = True, _FEWEST
        elif ended.anew:
            self._most = min(_MOST, 2 * self._most)
        return bool(asked) or room == 0
