"""Which doorbells were not heard: one judgement for urgent scans, all others, and training runs, each with a queue of its own."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from celery import Celery
from sqlalchemy import Connection

from db import again, ledger, runs
from db.tables import Priority
from workers.queues import QUEUES, SCANS, TRAINING, queue_lengths

LOST_AFTER_SECONDS: Final = 30.0
_GRAIN_SECONDS: Final = 0.005
_MOST_AGAIN: Final = 32


@dataclass
class Bells:
    """The doorbells of one kind of thing that waits."""

    queue: str
    beside: Sequence[str]  # the queues that share `most`, this one among them
    to_ring: Callable[[Connection, int, float | None], Sequence[str]]
    """What waits unheard: so many at most; those never rung, and those rung longer ago than so many seconds."""
    rung: Callable[[Connection, Sequence[str]], None]
    """Notes that these were rung."""
    not_rung: Callable[[Connection, Sequence[str]], None]
    """Takes that back."""
    most: int  # that may lie in Redis
    _emptied: deque[float] = field(default_factory=deque)  # when the queue was seen empty (monotonic), those not yet 30 s ago
    _lost_before: float | None = None  # bells rung earlier (monotonic) were not heard
    _server_run: str | None = None  # of the Redis behind the queue; None: nothing is known of its bells yet

    def look(self, app: Celery, run: str, at: float) -> int:
        """How many doorbells share the room in Redis. What still waits 30 s after its own queue was seen empty was not heard.

        When that is first seen empty, by this dispatcher or since that Redis was started, there is nothing to wait for: what was rung
        before is lost but for the few that workers have just taken, and one bell too many changes nothing.
        """
        lengths = queue_lengths(app, self.beside)
        is_empty = lengths[self.queue] == 0
        if is_empty and run != self._server_run:
            self._server_run, self._lost_before = run, at
            self._emptied.clear()
        if is_empty:
            self._emptied.append(at)
        while self._emptied and at - self._emptied[0] >= LOST_AFTER_SECONDS:
            self._lost_before = self._emptied.popleft()
        return sum(lengths.values())

    def lost_for(self) -> float | None:
        """How long ago a bell must have been rung to count as lost; a little more than it is, since SQLite's clock tells milliseconds."""
        return None if self._lost_before is None else time.monotonic() - self._lost_before + _GRAIN_SECONDS


def of_scans(priority: Priority, most: int) -> Bells:
    """Scans of one priority; `most` is of both."""

    def to_ring(connection: Connection, most: int, lost_for_seconds: float | None) -> list[str]:
        return ledger.to_ring(connection, priority, most, lost_for_seconds)

    return Bells(priority, QUEUES, to_ring, ledger.rung, ledger.not_rung, most)


def of_scans_again() -> Bells:
    """Scans that are read again: only while no other lies in the queues, and few, so that one that comes meanwhile need not wait long."""

    def to_ring(connection: Connection, most: int, _: float | None) -> list[str]:
        return again.to_ring(connection, most) if most == _MOST_AGAIN else []

    return Bells(SCANS, QUEUES, to_ring, ledger.rung, ledger.not_rung, _MOST_AGAIN)


def of_runs(most: int) -> Bells:
    """Training runs, the oldest first."""
    return Bells(TRAINING, (TRAINING,), runs.to_ring, runs.rung, runs.not_rung, most)
