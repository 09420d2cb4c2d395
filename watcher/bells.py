"""Which doorbells were not heard: one judgement for urgent scans, all others, and training runs, each with a queue of its own."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from celery import Celery
from sqlalchemy import Connection

from db import again, ledger, runs
from db.doorbells import Look
from db.tables import Priority
from workers.queues import QUEUES, SCANS, TRAINING, queues_now

LOST_AFTER_SECONDS: Final = 10.0  # a worker at work claims what it took from Redis sooner; one bell too many changes nothing
_GRAIN_SECONDS: Final = 0.005
_MOST_AGAIN: Final = 32

ToRing = Callable[[Connection, int, Look | None, str | None], Sequence[str]]


@dataclass
class Bells:
    """The doorbells of one kind of thing that waits."""

    queue: str
    beside: Sequence[str]  # the queues that share `most`, this one among them
    to_ring: ToRing
    """What waits unheard, as db/doorbells.py tells: so many at most, by how the queue was found, and only what came before another."""
    rung: Callable[[Connection, Sequence[str]], list[str]]
    """Notes that these were rung; returns those of which the database refuses to have it noted."""
    not_rung: Callable[[Connection, Sequence[str]], None]
    """Takes that back."""
    most: int  # that may lie in Redis
    next: str | None = None  # whose bell is the next to be answered
    _looks: deque[tuple[float, str | None]] = field(default_factory=deque)  # when (monotonic), and whose was the next; of the last 10 s
    _judged_by: tuple[float, str | None] | None = None  # the look by which bells count as lost
    _server_run: str | None = None  # of the Redis behind the queue; None: nothing is known of its bells yet

    def look(self, app: Celery, run: str, at: float) -> int:
        """How many doorbells share the room in Redis. What still waits 10 s after the head of its own queue had passed it was not heard.

        When that queue is first seen empty, by this dispatcher or since that Redis was started, there is nothing to wait for: what was
        rung before is lost but for the few that workers have just taken, and one bell too many changes nothing.
        """
        found = queues_now(app, self.beside)
        self.next = found[self.queue].next
        is_empty = found[self.queue].length == 0
        if is_empty and run != self._server_run:
            self._server_run, self._judged_by = run, (at, None)
            self._looks.clear()
        if is_empty or self.next:  # by somebody else's message nothing can be told
            self._looks.append((at, self.next))
        while self._looks and at - self._looks[0][0] >= LOST_AFTER_SECONDS:
            self._judged_by = self._looks.popleft()
        return sum(queue.length for queue in found.values())

    def lost(self) -> Look | None:
        """The look by which bells count as lost; told as a little longer ago than it is, since SQLite's clock tells milliseconds."""
        if self._judged_by is None:
            return None
        at, next = self._judged_by
        return Look(time.monotonic() - at + _GRAIN_SECONDS, next)


def of_scans(priority: Priority, most: int) -> Bells:
    """Scans of one priority; `most` is of both."""

    def to_ring(connection: Connection, most: int, look: Look | None, before: str | None) -> list[str]:
        return ledger.to_ring(connection, priority, most, look, before)

    return Bells(priority, QUEUES, to_ring, ledger.rung, ledger.not_rung, most)


def of_scans_again() -> Bells:
    """Scans that are read again: only while no other lies in the queues, and few, so that one that comes meanwhile need not wait long."""

    def to_ring(connection: Connection, most: int, look: Look | None, before: str | None) -> list[str]:
        return again.to_ring(connection, most) if most == _MOST_AGAIN else []

    return Bells(SCANS, QUEUES, to_ring, ledger.rung, ledger.not_rung, _MOST_AGAIN)


def of_runs(most: int) -> Bells:
    """Training runs, the oldest first."""
    return Bells(TRAINING, (TRAINING,), runs.to_ring, runs.rung, runs.not_rung, most)
