"""Rings the doorbells: tells Redis which subjects have a job that waits.

Level-triggered, from the database alone, so whatever Redis loses is rung again. First ringing and ringing again are one code path; any
number of dispatchers may run, since an extra doorbell changes nothing.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

import structlog
from celery import Celery
from sqlalchemy import Connection

from db import errors, job_doorbells, job_leases, runs
from db.connect import read_only
from db.job_doorbells import QueuePlace
from db.writer import Writer
from jobs import leases
from jobs.doorbells import Lane, lanes
from jobs.kinds import KINDS, MOST_RUNG, JobKind
from jobs.queues import ring, ring_first, server_run
from lungline.errors import BrokerError
from lungline.failures import Failures
from lungline.schedule import Schedule
from lungline.threads import Repeating

_TURN_SECONDS = 1.0
_SHORT_SECONDS = 0.25  # after a turn that rang: what is done in the background is rung a few at a time
_BATCH = 500
_SPARE = 500  # doorbells beyond `most`, for what was overtaken: there are few, and a full queue must not keep them waiting
_MOST_NAMED = 5

log = structlog.get_logger()

T = TypeVar("T")
P = ParamSpec("P")
Waiting = Sequence[tuple[str, str, str]]  # (job, kind, subject)


class Dispatcher:
    """A thread that keeps the queues filled with what waits, and the jobs free of leases that ran out."""

    def __init__(self, app: Celery, writer: Writer, schedule: Schedule | None = None, kinds: Sequence[JobKind] = KINDS) -> None:
        """Rings nothing yet.

        Args:
            app: with the queues of `kinds`.
            writer: of the database.
            schedule: of the training runs that it enters when they are due; None: it enters none.
            kinds: whose doorbells it rings.
        """
        self._app = app
        self._writer = writer
        self._database = read_only(writer.engine)
        self._schedule = schedule
        self._kinds = {kind.name: kind for kind in kinds}
        self._lanes = tuple(lanes(kinds))
        self._failures = Failures("not ringing as it should", "ringing again")
        self._refused: set[str] = set()  # jobs whose doorbells the database refuses to note, as far as that was logged
        self._thread = Repeating("dispatcher", _TURN_SECONDS, self._step, "not ringing")
        self.start, self.wake, self.stop = self._thread.start, self._thread.wake, self._thread.stop

    def _step(self) -> float | None:
        with suppress(Exception):  # the turn logged it
            return _SHORT_SECONDS if self.turn() else None
        return None

    def turn(self) -> int:
        """Frees what was lost, then rings what waits unheard; returns how many doorbells it rang. What fails keeps nothing else from it.

        Raises:
            BrokerError: Redis is not to be had; nothing is noted as rung that was not.
            LedgerError: the database is not to be had.
            Exception: whatever else was met first; all else is done.
        """
        failures: list[Exception] = []
        attempt = partial(self._attempt, failures)
        for kind in self._kinds.values():
            attempt(f"the leases of {kind.name}", partial(self._expire, kind))
        attempt("the schedule", self._enter_what_is_due)
        server = attempt("Redis", lambda: server_run(self._app))
        rang = 0
        if server is not None:
            for lane in self._lanes:
                rang += attempt(f"{lane.queue} {'background' if lane.is_background else 'live'}", partial(self._ring, lane, server)) or 0
        if failures:
            raise failures[0]
        return rang

    def _ask(self, question: Callable[Concatenate[Connection, P], T], *arguments: P.args, **named: P.kwargs) -> T:
        """Reads without waiting for those who write: on SQLite, busy workers would keep each turn waiting for seconds."""
        with errors.translating(), self._database.connect() as connection:
            return question(connection, *arguments, **named)

    def _attempt(self, failures: list[Exception], what: str, work: Callable[[], T]) -> T | None:
        """None if it failed."""
        try:
            done = work()
        except Exception as error:
            failures.append(error)
            self._failures.note(what, error)
            return None
        self._failures.end(what)
        return done

    def _expire(self, kind: JobKind) -> None:
        if not self._ask(job_leases.any_to_expire, kind.name, kind.lease_seconds):
            return
        freed, ended = self._writer.do(leases.expire, [kind])
        if freed:
            log.warning("leases expired", kind=kind.name, jobs=freed, given_up=ended)

    def _enter_what_is_due(self) -> None:
        if self._schedule is None or self._ask(runs.due_slot, self._schedule) is None:
            return
        if due := self._writer.do(runs.enter_due, self._schedule):
            log.info("a job is due by its schedule", subject=due)

    def _ring(self, lane: Lane, server: str) -> int:
        room = lane.most - self._ask(lane.look, self._app, server, time.monotonic())
        rang = 0
        if lane.head and not lane.is_background:
            # What was entered before the head of the queue goes before it, if there is room or not: at the end it would wait once more.
            overtaken = self._unheard(lane, room + _SPARE, lane.head)
            self._ring_all(lane, overtaken[::-1], ring_first)
            rang = len(overtaken)
            room -= rang
        while room > 0 and not self._thread.is_stopping:
            most = min(room, _BATCH)
            waiting = self._unheard(lane, most, None)
            self._ring_all(lane, waiting, ring)
            rang += len(waiting)
            room -= most
            if len(waiting) < most:  # no more wait unheard
                break
        return rang

    def _unheard(self, lane: Lane, most: int, before: QueuePlace | None) -> Waiting:
        """What is to be rung, noted as rung. Noted first: a doorbell lost between the two is one of those that Redis loses."""
        if most <= 0:
            return []
        waiting = self._ask(lane.to_ring, most, before)
        if not waiting:
            return []
        refused = set(self._writer.do(job_doorbells.note_rung, [job for job, _, _ in waiting]))
        if new := refused - self._refused:
            log.error("the database refuses to record doorbells, which are not rung", jobs=sorted(new)[:_MOST_NAMED], all=len(new))
            self._refused = (self._refused if len(self._refused) < MOST_RUNG else set()) | new
        return [(job, kind, subject) for job, kind, subject in waiting if job not in refused]

    def _ring_all(self, lane: Lane, waiting: Waiting, how: Callable[[Celery, str, str, str], None]) -> None:
        failure: Exception | None = None
        for number, (_, kind, subject) in enumerate(waiting):
            try:
                how(self._app, self._kinds[kind].task, subject, lane.queue)
            except BrokerError:
                # Redis may answer and yet take none, for want of room: noted as rung, they would wait until they count as lost.
                left = [job for job, _, _ in waiting[number:]]
                self._writer.do(job_doorbells.note_not_rung, left)
                raise
            except Exception as error:  # it is about this one; it is tried again when its doorbell counts as lost
                failure = error
        if failure:
            raise failure
