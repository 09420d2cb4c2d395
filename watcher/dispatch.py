"""Rings the doorbells: tells Redis which scans wait. Level-triggered, from the ledger alone, so whatever Redis loses is rung again.

First ringing and ringing again are one code path; any number of dispatchers may run, since an extra doorbell changes nothing.
"""

import threading
import time
from collections import deque

import structlog
from celery import Celery
from sqlalchemy import Connection

from db import ledger
from db.writer import Writer
from lungline.errors import LunglineError
from workers.queues import queue_lengths, ring, server_run

MOST_RUNG = 5000
LOST_AFTER_SECONDS = 30.0
_TURN_SECONDS = 1.0
_BATCH = 500
_GRAIN_SECONDS = 0.005

log = structlog.get_logger()


class Dispatcher:
    """A thread that keeps the queues filled with what waits, and the ledger free of leases that ran out."""

    def __init__(self, app: Celery, writer: Writer) -> None:
        self._app = app
        self._writer = writer
        self._wake = threading.Event()
        self._stopping = False
        self._emptied: deque[float] = deque()  # when the queues were seen empty (monotonic), those not yet 30 s ago
        self._lost_before: float | None = None  # bells rung earlier (monotonic) were not heard
        self._server_run: str | None = None  # of the Redis behind the queues; None: nothing is known of its bells yet
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
            try:
                self.turn()
                if trouble:
                    log.info("ringing again")
                trouble = None
            except Exception as error:  # whatever it is: without this thread nothing is read
                said = str(error) if isinstance(error, LunglineError) else "unexpected; see `lungline doctor`"
                if said != trouble:  # once, not every second of an outage
                    trouble = said
                    log.warning("not ringing", error=type(error).__name__, advice=trouble)
            self._wake.wait(_TURN_SECONDS)
            self._wake.clear()

    def turn(self) -> int:
        """Frees what was lost, then rings what waits unheard; returns how many doorbells it rang.

        Raises:
            BrokerError: Redis is not to be had; nothing is noted as rung that was not.
            LedgerError: the database is not to be had.
        """
        freed, condemned = self._writer.do(_free)
        if freed:
            log.warning("leases ran out", scans=freed, quarantined=condemned)
        room = MOST_RUNG - self._look(time.monotonic())
        rang = 0
        while room > 0 and not self._stopping:
            most = min(room, _BATCH)
            bells = self._writer.do(lambda connection, most=most: ledger.to_ring(connection, most, self._lost_for()))  # type: ignore[misc]
            if not bells:
                break
            # Noted before it is rung: a bell lost between the two is one of those that Redis loses.
            self._writer.do(lambda connection, bells=bells: ledger.rung(connection, [scan_id for scan_id, _ in bells]))  # type: ignore[misc]
            for scan_id, priority in bells:
                ring(self._app, scan_id, priority)
            rang += len(bells)
            room -= len(bells)
            if len(bells) < most:  # no more wait unheard
                break
        return rang

    def _look(self, at: float) -> int:
        """How many doorbells are in Redis. A scan that still waits 30 s after they were seen all gone was not heard.

        When they are first seen all gone, by this dispatcher or since that Redis was started, there is nothing to wait for: what was rung
        before is lost but for the few that workers have just taken, and one bell too many changes nothing.
        """
        run, length = server_run(self._app), sum(queue_lengths(self._app).values())
        if length == 0 and run != self._server_run:
            self._server_run, self._lost_before = run, at
            self._emptied.clear()
        if length == 0:
            self._emptied.append(at)
        while self._emptied and at - self._emptied[0] >= LOST_AFTER_SECONDS:
            self._lost_before = self._emptied.popleft()
        return length

    def _lost_for(self) -> float | None:
        """How long ago a bell must have been rung to count as lost; a little more than it is, since SQLite's clock tells milliseconds."""
        return None if self._lost_before is None else time.monotonic() - self._lost_before + _GRAIN_SECONDS


def _free(connection: Connection) -> tuple[int, int]:
    freed = ledger.expire_leases(connection)
    return freed, ledger.condemn(connection) if freed else 0
