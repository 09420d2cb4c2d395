"""Which doorbells were not heard: one judgement for scans and for training runs, each with queues of their own."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from celery import Celery
from sqlalchemy import Connection

from db import again, ledger, runs
from workers.queues import QUEUES, SCANS, TRAINING, queue_lengths

LOST_AFTER_SECONDS: Final = 30.0
_GRAIN_SECONDS: Final = 0.005
_MOST_AGAIN: Final = 32

Bell = tuple[str, str]  # what waits, and the queue that it is rung in


@dataclass
class Bells:
    """The doorbells of one kind of thing that waits."""

    queues: Sequence[str]
    to_ring: Callable[[Connection, int, float | None], Sequence[Bell]]
    """What waits unheard: so many at most; those never rung, and those rung longer ago than so many seconds."""
    rung: Callable[[Connection, Sequence[str]], None]
    """Notes that these were rung."""
    most: int  # that may lie in Redis
    _emptied: deque[float] = field(default_factory=deque)  # when the queues were seen empty (monotonic), those not yet 30 s ago
    _lost_before: float | None = None  # bells rung earlier (monotonic) were not heard
    _server_run: str | None = None  # of the Redis behind the queues; None: nothing is known of its bells yet

    def look(self, app: Celery, run: str, at: float) -> int:
        """How many doorbells are in Redis. What still waits 30 s after they were seen all gone was not heard.

        When they are first seen all gone, by this dispatcher or since that Redis was started, there is nothing to wait for: what was rung
        before is lost but for the few that workers have just taken, and one bell too many changes nothing.
        """
        length = sum(queue_lengths(app, self.queues).values())
        if length == 0 and run != self._server_run:
            self._server_run, self._lost_before = run, at
            self._emptied.clear()
        if length == 0:
            self._emptied.append(at)
        while self._emptied and at - self._emptied[0] >= LOST_AFTER_SECONDS:
            self._lost_before = self._emptied.popleft()
        return length

    def lost_for(self) -> float | None:
        """How long ago a bell must have been rung to count as lost; a little more than it is, since SQLite's clock tells milliseconds."""
        return None if self._lost_before is None else time.monotonic() - self._lost_before + _GRAIN_SECONDS


def of_scans(most: int) -> Bells:
    """Scans, `stat` first."""
    return Bells(QUEUES, ledger.to_ring, ledger.rung, most)


def of_scans_again() -> Bells:
    """Scans that are read again: only while no other lies in the queues, and few, so that one that comes meanwhile need not wait long."""

    def to_ring(connection: Connection, most: int, _: float | None) -> list[Bell]:
        return [(scan_id, SCANS) for scan_id in again.to_ring(connection, most)] if most == _MOST_AGAIN else []

    return Bells(QUEUES, to_ring, ledger.rung, _MOST_AGAIN)


def of_runs(most: int) -> Bells:
    """Training runs, the oldest first."""

    def to_ring(connection: Connection, most: int, lost_for_seconds: float | None) -> list[Bell]:
        return [(run_id, TRAINING) for run_id in runs.to_ring(connection, most, lost_for_seconds)]

    return Bells((TRAINING,), to_ring, runs.rung, most)
