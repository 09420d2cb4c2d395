"""Rings the doorbells: tells Redis which scans and training runs wait, and enters the runs that the schedule makes due.

Level-triggered, from the ledger alone, so whatever Redis loses is rung again. First ringing and ringing again are one code path; any number
of dispatchers may run, since an extra doorbell changes nothing, and a slot of the schedule is entered once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

import structlog
from celery import Celery
from sqlalchemy import Connection

from db import ledger, runs
from db.tables import Priority
from db.writer import Writer
from lungline.errors import BrokerError, LunglineError
from lungline.schedule import Schedule
from watcher import bells
from watcher.bells import Bells
from workers.queues import ring, ring_first, server_run

MOST_RUNG = 5000
_TURN_SECONDS = 1.0
_SHORT_SECONDS = 0.25  # after a turn that rang: scans to be read again are rung a few at a time
_BATCH = 500
_SPARE = 500  # doorbells beyond `MOST_RUNG`, for what was overtaken: there are few, and a full queue must not keep them waiting
_MOST_NAMED = 5

log = structlog.get_logger()

_T = TypeVar("_T")


class Dispatcher:
    """A thread that keeps the queues filled with what waits, and the ledger free of leases that ran out."""

    def __init__(self, app: Celery, writer: Writer, schedule: Schedule) -> None:
        """`schedule`: of training runs."""
        self._app = app
        self._writer = writer
        self._schedule = schedule
        scans = (bells.of_scans(priority, MOST_RUNG) for priority in Priority)  # the urgent first
        self._kinds = (*scans, bells.of_scans_again(), bells.of_runs(MOST_RUNG))
        self._failing: dict[str, tuple[str, str]] = {}  # what does not go: the kind of error, and what was said of it
        self._refused: set[str] = set()  # whose doorbells the database refuses to note, as far as that was logged
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begins to ring."""
        self._thread.start()

    def wake(self) -> None:
        """Something waits: ring at once instead of at the next turn."""
        self._wake.set()

    def stop(self) -> None:
        """Ends after the turn under way."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=15)

    def _run(self) -> None:
        while not self._stopping:
            rang = 0
            with suppress(Exception):  # told by the turn; without this thread nothing is read
                rang = self.turn()
            self._wake.wait(_SHORT_SECONDS if rang else _TURN_SECONDS)
            self._wake.clear()

    def turn(self) -> int:
        """Frees what was lost, then rings what waits unheard; returns how many doorbells it rang. What fails keeps nothing else from it.

        Raises:
            BrokerError: Redis is not to be had; nothing is noted as rung that was not.
            LedgerError: the database is not to be had.
            Exception: whatever else was met first; all else is done.
        """
        failures: list[Exception] = []
        attempt = partial(self._attempt, failures)
        attempt("the leases of scans", self._free_scans)
        attempt("the leases of training runs", self._free_runs)
        attempt("the schedule", self._enter_due)
        server = attempt("Redis", lambda: server_run(self._app))
        rang = 0
        if server is not None:
            for number, kind in enumerate(self._kinds):
                rang += attempt(f"{kind.queue} {number}", partial(self._ring, kind, server)) or 0
        if failures:
            raise failures[0]
        return rang

    def _attempt(self, failures: list[Exception], what: str, work: Callable[[], _T]) -> _T | None:
        """None if it failed, which is logged once, not every second of an outage, and not for each step that the outage stops."""
        if self._stopping:
            return None
        try:
            done = work()
        except Exception as error:
            failures.append(error)
            trouble = (type(error).__name__, str(error) if isinstance(error, LunglineError) else "unexpected; see `lungline doctor`")
            if trouble not in self._failing.values():
                log.warning("not ringing as it should", at=what, error=trouble[0], advice=trouble[1])
            self._failing[what] = trouble
            return None
        if self._failing.pop(what, None) and not self._failing:
            log.info("ringing again")
        return done

    def _free_scans(self) -> None:
        freed, condemned = self._writer.do(_free_scans)
        if freed:
            log.warning("leases ran out", scans=freed, quarantined=condemned)

    def _free_runs(self) -> None:
        if self._writer.do(runs.expire):
            log.warning("the lease of a training run ran out")

    def _enter_due(self) -> None:
        if due := self._writer.do(lambda connection: runs.enter_due(connection, self._schedule)):
            log.info("a training run is due", run=due)

    def _ring(self, kind: Bells, server: str) -> int:
        room = kind.most - kind.look(self._app, server, time.monotonic())
        rang = 0
        if kind.next:
            # What came before the head of the queue goes before it, if there is room or not: at the end it would wait once more.
            overtaken = self._unheard(kind, room + _SPARE, kind.next)
            self._ring_all(kind, overtaken[::-1], ring_first)
            rang = len(overtaken)
            room -= rang
        while room > 0 and not self._stopping:
            most = min(room, _BATCH)
            waiting = self._unheard(kind, most, None)
            self._ring_all(kind, waiting, ring)
            rang += len(waiting)
            room -= most
            if len(waiting) < most:  # no more wait unheard
                break
        return rang

    def _unheard(self, kind: Bells, most: int, before: str | None) -> Sequence[str]:
        """What is to be rung, noted as rung. Noted first: a bell lost between the two is one of those that Redis loses."""
        if most <= 0:
            return []
        waiting = self._writer.do(lambda connection: kind.to_ring(connection, most, kind.lost(), before))
        if not waiting:
            return []
        refused = set(self._writer.do(lambda connection: kind.rung(connection, waiting)))
        if new := refused - self._refused:
            log.error("the database refuses to note doorbells, which are not rung", ids=sorted(new)[:_MOST_NAMED], all=len(new))
            self._refused = (self._refused if len(self._refused) < MOST_RUNG else set()) | new
        return [id for id in waiting if id not in refused]

    def _ring_all(self, kind: Bells, waiting: Sequence[str], how: Callable[[Celery, str, str], None]) -> None:
        failure: Exception | None = None
        for number, waiting_id in enumerate(waiting):
            try:
                how(self._app, waiting_id, kind.queue)
            except BrokerError:
                # Redis may answer and yet take none, for want of room: noted as rung, they would wait until they count as lost.
                self._writer.do(lambda connection, left=waiting[number:]: kind.not_rung(connection, left))  # type: ignore[misc]
                raise
            except Exception as error:  # it is about this one; it is tried again when its bell counts as lost
                failure = error
        if failure:
            raise failure


def _free_scans(connection: Connection) -> tuple[int, int]:
    freed = ledger.expire_leases(connection)
    return freed, ledger.condemn(connection) if freed else 0
