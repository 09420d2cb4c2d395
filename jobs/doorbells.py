"""Which doorbells were not heard: one judgement for each queue, and for what is done in the background."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from celery import Celery
from sqlalchemy import Connection

from db import job_doorbells, jobs
from db.job_doorbells import Look, QueuePlace
from db.tables import JobState, Rank
from jobs.kinds import JobKind, queues_of, ranks_of
from jobs.queues import queues_now

LOST_AFTER_SECONDS: Final = 10.0  # a worker at work claims what it took from Redis sooner; one doorbell too many changes nothing
UNHEARD_SECONDS: Final = 30.0  # in the background, and no doorbell lies in Redis
_GRAIN_SECONDS: Final = 0.005


@dataclass
class Lane:
    """The doorbells of one queue: those of live work, or those in the background."""

    queue: str
    ranks: tuple[Rank, ...]
    beside: Sequence[str]
    """The queues that share `most`, this one among them."""
    most: int
    """That may lie in Redis; with those that run, where `counted` names a kind."""
    counted: str | None = None
    head: QueuePlace | None = None
    """Of the job whose doorbell is the next to be answered."""
    _head_sightings: deque[tuple[float, QueuePlace | None]] = field(default_factory=deque)  # when (monotonic); of the last 10 s
    _judged_by: tuple[float, QueuePlace | None] | None = None  # the look by which doorbells count as lost
    _server_run: str | None = None  # of the Redis behind the queue; None: nothing is known of its doorbells yet

    @property
    def is_background(self) -> bool:
        """Whether it is rung only while no other doorbell lies in its queues."""
        return Rank.BACKGROUND in self.ranks

    def look(self, connection: Connection, app: Celery, run: str, at: float) -> int:
        """How many doorbells share the room in Redis. What still waits 10 s after the head of its own queue had passed it was not heard.

        When that queue is first seen empty, by this dispatcher or since that Redis was started, there is nothing to wait for: what was
        rung before is lost but for the few that workers have just taken, and one doorbell too many changes nothing.
        """
        found = queues_now(app, self.beside)
        subject, is_empty = found[self.queue].next, found[self.queue].length == 0
        self.head = job_doorbells.place_of(connection, self.queue, subject) if subject else None
        if is_empty and run != self._server_run:
            self._server_run, self._judged_by = run, (at, None)
            self._head_sightings.clear()
        if is_empty or self.head:  # by somebody else's message nothing can be told
            self._head_sightings.append((at, self.head))
        while self._head_sightings and at - self._head_sightings[0][0] >= LOST_AFTER_SECONDS:
            self._judged_by = self._head_sightings.popleft()
        running = jobs.count(connection, self.counted)[JobState.RUNNING] if self.counted else 0
        return running + sum(queue.length for queue in found.values())

    def to_ring(self, connection: Connection, most: int, before: QueuePlace | None) -> list[tuple[str, str, str]]:
        """Jobs whose doorbell must be rung, as (id, kind, subject); `before`: only those entered before this place."""
        if self.is_background:
            # Others lie in Redis: not now. None lie there: what was rung long ago was not heard.
            return [] if most < self.most else job_doorbells.to_ring(connection, self.queue, self.ranks, most, Look(UNHEARD_SECONDS))
        return job_doorbells.to_ring(connection, self.queue, self.ranks, most, self._lost(), before)

    def _lost(self) -> Look | None:
        """The look by which doorbells count as lost, a little longer ago than it was: SQLite's clock counts in milliseconds."""
        if self._judged_by is None:
            return None
        at, head = self._judged_by
        return Look(time.monotonic() - at + _GRAIN_SECONDS, head)


def lanes(kinds: Sequence[JobKind]) -> Iterator[Lane]:
    """Every lane of these kinds, the urgent first, those in the background last."""
    live = [kind for kind in kinds if not kind.in_background]
    for queue in queues_of(live):
        first = next(kind for kind in live if queue in kind.queues)
        if first.at_once is None:
            yield Lane(queue, ranks_of(first), first.queues, first.most_rung)
        else:
            yield Lane(queue, ranks_of(first), (queue,), first.at_once, first.name)
    for kind in kinds:
        if kind.in_background:
            for queue in kind.queues:
                beside = next((other.queues for other in live if queue in other.queues), kind.queues)
                yield Lane(queue, ranks_of(kind), beside, kind.most_rung)
