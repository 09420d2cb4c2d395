"""The kinds of job: by what and how each is rung, how long its lease lasts, and what becomes of a subject that kills its workers.

Who does the work is told to `jobs.answer` by each worker. A new kind needs a line here, and a worker that answers it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from db import archives, assessments, deliveries, headers, rereads, runs, scans, series
from db.job_leases import Cause
from db.tables import Priority, Rank
from lungline.reasons import Reason

MOST_RUNG: Final = 5000  # doorbells that lie in Redis at a time


@dataclass(frozen=True)
class JobKind:
    """The policy of one kind of job."""

    name: str
    task: str
    """Celery's name for its doorbell. Kinds that one worker answers alike may share it."""
    queues: tuple[str, ...]
    """That its doorbells go to; each job says to which."""
    condemn: Callable[[Connection, str, Cause], None]
    """Writes what became of a subject whose job ended its workers or processes too often, in the transaction that ends the job."""
    deaths_allowed: int = 1
    """One more is blamed on the subject."""
    lease_seconds: float = 40.0
    exclusive: bool = False
    """At most one job of this kind runs at a time, and its worker does nothing beside it."""
    in_background: bool = False
    """Rung a few at a time, and only while no other doorbell lies in its queues."""
    most_rung: int = MOST_RUNG
    at_once: int | None = None
    """Rung or running at a time, but for urgent ones; None: as many as workers take. It has a queue of its own then."""


READ_FAILURES: Final = {Cause.DEATH: Reason.READER_DIED, Cause.TIMEOUT: Reason.READER_TIMEOUT}


def _quarantine(connection: Connection, scan_id: str, cause: Cause) -> None:
    reason = READ_FAILURES[cause]
    scans.quarantine_scan(connection, scan_id, reason, reason.sentence)


def _keep_verdict(connection: Connection, scan_id: str, cause: Cause) -> None:
    rereads.note_failure(connection, scan_id, READ_FAILURES[cause])


def _fail_run(connection: Connection, run_id: str, _: Cause) -> None:
    runs.give_up(connection, run_id)


def _keep_facts(connection: Connection, scan_id: str, _: Cause) -> None:
    headers.give_up(connection, scan_id)


def _ask_a_person(connection: Connection, series_id: str, _: Cause) -> None:
    assessments.give_up_series(connection, series_id)


def _fail_delivery(connection: Connection, delivery_id: str, _: Cause) -> None:
    deliveries.give_up(connection, delivery_id)


def _refuse_archive(connection: Connection, file_id: str, cause: Cause) -> None:
    archives.refuse(connection, file_id, READ_FAILURES[cause])


_SCAN_QUEUES: Final = tuple(priority.value for priority in Priority)

READ: Final = JobKind(scans.READ, "lungline.read_scan", _SCAN_QUEUES, _quarantine)
REREAD: Final = JobKind(scans.REREAD, READ.task, (Priority.SCANS.value,), _keep_verdict, in_background=True, most_rung=32)
HEADERS: Final = JobKind(headers.HEADERS, READ.task, (Priority.SCANS.value,), _keep_facts, in_background=True, most_rung=32)
ASSESS: Final = JobKind(series.ASSESS, "lungline.assess_series", (Priority.STAT.value, series.QUEUE), _ask_a_person)
UNPACK: Final = JobKind(archives.UNPACK, "lungline.unpack_archive", (Priority.STAT.value, archives.QUEUE), _refuse_archive, at_once=2)
TRAIN: Final = JobKind(runs.TRAIN, "lungline.retrain", (runs.QUEUE,), _fail_run, runs.DEATHS_ALLOWED, exclusive=True)
DELIVER: Final = JobKind(deliveries.DELIVER, "lungline.deliver", (deliveries.QUEUE,), _fail_delivery)

KINDS: Final = (READ, REREAD, HEADERS, ASSESS, UNPACK, TRAIN, DELIVER)

INFERENCE_QUEUES: Final = (Priority.STAT.value, series.QUEUE, archives.QUEUE, Priority.SCANS.value)
"""In the order in which an inference worker serves them: an assessment takes milliseconds, and waits behind no backlog of scans; an archive
waits behind none either, since what it holds takes its place in that backlog once it is unpacked."""


def queues_of(kinds: Iterable[JobKind]) -> tuple[str, ...]:
    """Every queue of these kinds once, in the order in which workers serve them."""
    return tuple(dict.fromkeys(queue for kind in kinds for queue in kind.queues))


def ranks_of(kind: JobKind) -> tuple[Rank, ...]:
    """Which priorities its jobs may have."""
    return (Rank.BACKGROUND,) if kind.in_background else (Rank.STAT, Rank.LIVE)
