"""Rings the doorbells: tells Redis which scans and training runs wait, and enters the runs that the schedule makes due.

Level-triggered, from the ledger alone, so whatever Redis loses is rung again. First ringing and ringing again are one code path; any number
of dispatchers may run, since an extra doorbell changes nothing, and a slot of the schedule is entered once.
"""

import threading
import time
from collections.abc import Sequence

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
from workers.queues import ring, server_run

MOST_RUNG = 5000
_TURN_SECONDS = 1.0
_SHORT_SECONDS = 0.25  # after a turn that rang: scans to be read again are rung a few at a time
_BATCH = 500

log = structlog.get_logger()


class Dispatcher:
    """A thread that keeps the queues filled with what waits, and the ledger free of leases that ran out."""

    def __init__(self, app: Celery, writer: Writer, schedule: Schedule) -> None:
        """`schedule`: of training runs."""
        self._app = app
        self._writer = writer
        self._schedule = schedule
        scans = (bells.of_scans(priority, MOST_RUNG) for priority in Priority)  # the urgent first
        self._kinds = (*scans, bells.of_scans_again(), bells.of_runs(MOST_RUNG))
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
        trouble: str | None = None
        while not self._stopping:
            rang = 0
            try:
                rang = self.turn()
                if trouble:
                    log.info("ringing again")
                trouble = None
            except Exception as error:  # whatever it is: without this thread nothing is read
                said = str(error) if isinstance(error, LunglineError) else "unexpected; see `lungline doctor`"
                if said != trouble:  # once, not every second of an outage
                    trouble = said
                    log.warning("not ringing", error=type(error).__name__, advice=trouble)
            self._wake.wait(_SHORT_SECONDS if rang else _TURN_SECONDS)
            self._wake.clear()

    def turn(self) -> int:
        """Frees what was lost, then rings what waits unheard; returns how many doorbells it rang.

        Raises:
            BrokerError: Redis is not to be had; nothing is noted as rung that was not.
            LedgerError: the database is not to be had.
        """
        freed, condemned, stopped, due = self._writer.do(self._change)
        if freed:
            log.warning("leases ran out", scans=freed, quarantined=condemned)
        if stopped:
            log.warning("the lease of a training run ran out")
        if due:
            log.info("a training run is due", run=due)
        server = server_run(self._app)
        return sum(self._ring(kind, server) for kind in self._kinds)

    def _ring(self, kind: Bells, server: str) -> int:
        room = kind.most - kind.look(self._app, server, time.monotonic())
        rang = 0
        while room > 0 and not self._stopping:
            most = min(room, _BATCH)
            waiting = self._writer.do(lambda connection, most=most: kind.to_ring(connection, most, kind.lost_for()))  # type: ignore[misc]
            if not waiting:
                break
            # Noted before it is rung: a bell lost between the two is one of those that Redis loses.
            self._writer.do(lambda connection, waiting=waiting: kind.rung(connection, waiting))  # type: ignore[misc]
            self._ring_all(kind, waiting)
            rang += len(waiting)
            room -= len(waiting)
            if len(waiting) < most:  # no more wait unheard
                break
        return rang

    def _ring_all(self, kind: Bells, waiting: Sequence[str]) -> None:
        for number, waiting_id in enumerate(waiting):
            try:
                ring(self._app, waiting_id, kind.queue)
            except BrokerError:
                # Redis may answer and yet take none, for want of room: noted as rung, they would wait until their queue was seen empty.
                self._writer.do(lambda connection, left=waiting[number:]: kind.not_rung(connection, left))  # type: ignore[misc]
                raise

    def _change(self, connection: Connection) -> tuple[int, int, int, str | None]:
        freed = ledger.expire_leases(connection)
        condemned = ledger.condemn(connection) if freed else 0
        return freed, condemned, runs.expire(connection), runs.enter_due(connection, self._schedule)
