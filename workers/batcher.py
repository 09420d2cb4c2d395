"""The batcher: runs the ensemble once for what many tasks wait for, and commits the verdicts of a batch in one transaction."""

import itertools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog
from sqlalchemy import Connection

from db import results
from db.jobs import Claim
from db.results import ScanFacts, Verdict
from db.series import QUIET_SECONDS
from db.writer import Writer
from lungline.errors import LedgerError, LedgerFault, LunglineError, ModelError
from lungline.findings import Modality
from lungline.halves import by_halves
from workers.reading import Reading

_BEFORE_ALL = -1  # of all priorities

log = structlog.get_logger()


class BatchJudge(Protocol):
    """What a batch is judged by."""

    def judge(self, batch: Sequence[tuple[Reading, Modality | None]]) -> list[tuple[Modality | None, Verdict]]:
        """Modality and verdict of each reading, given the modality that its folder said."""
        ...

    def is_sound(self) -> bool:
        """Whether it still judges what cannot be to blame."""
        ...


class StoppingError(LunglineError):
    """The worker stops; the scan goes back to waiting."""


@dataclass(frozen=True)
class Waiting:
    """A prepared scan on its way through a batch."""

    claim: Claim
    hint: Modality | None  # what its folder said
    reading: Reading
    facts: ScanFacts
    judge: BatchJudge  # that it was prepared for
    done: "Future[Verdict | None]" = field(default_factory=Future)  # None: the claim was void by then


ReadVerdict = tuple[Waiting, Modality | None, Verdict]


class Batcher:
    """One thread that takes what waits, up to `most` scans, as soon as the runtime is free; urgent scans first, rereads last."""

    def __init__(self, writer: Writer, most: int, broken: Callable[[], None], quiet_seconds: float = QUIET_SECONDS) -> None:
        """`broken` is called when the runtime fails, whatever it is given; what it failed on waits again, if this process lives on.

        `quiet_seconds`: a series is assessed once so long no verdict of its scans came.
        """
        self._writer = writer
        self._most = most
        self._broken = broken
        self._quiet_seconds = quiet_seconds
        self._waiting: queue.PriorityQueue[tuple[int, int, Waiting | None]] = queue.PriorityQueue()
        self._order = itertools.count()
        self._stopped = threading.Event()
        self._batches = itertools.count(1)
        self._under_way: int | None = None
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, waiting: Waiting) -> "Future[Verdict | None]":
        """Adds a scan to the next batch. Its future holds its verdict once that is committed.

        The future raises StoppingError, ModelError (no usable answer for this very scan), LedgerError (not committed; the same may pass
        later), or LedgerFault (the database refuses this very verdict).
        """
        self._waiting.put((waiting.claim.priority, next(self._order), waiting))
        if self._stopped.is_set():
            self._empty()
        return waiting.done

    @property
    def under_way(self) -> int | None:
        """Which batch is being run, by its number; None between two."""
        return self._under_way

    def stop(self) -> None:
        """Ends after the batch under way; what waits is told that the worker stops."""
        self._stopped.set()
        self._waiting.put((_BEFORE_ALL, next(self._order), None))
        self._thread.join(timeout=20)
        self._empty()

    def _run(self) -> None:
        while not self._stopped.is_set():
            batch = self._next()
            if batch:
                for share in _by_judge(batch):
                    self._under_way, began = next(self._batches), time.monotonic()
                    self._finish(share)
                    self._under_way = None
                    log.info("batch", scans=len(share), seconds=round(time.monotonic() - began, 3))

    def _next(self) -> list[Waiting]:
        batch: list[Waiting] = []
        while len(batch) < self._most:
            try:
                _, _, waiting = self._waiting.get(block=not batch)
            except queue.Empty:
                break
            if waiting is None:
                break
            batch.append(waiting)
        return batch

    def _finish(self, batch: Sequence[Waiting]) -> None:
        try:
            verdicts = batch[0].judge.judge([(waiting.reading, waiting.hint) for waiting in batch])
        except Exception as error:
            if len(batch) == 1:
                log.error("a scan cannot be read by the networks", scan=batch[0].claim.subject, error=type(error).__name__)
                if not batch[0].judge.is_sound():
                    self._broken()
                    batch[0].done.set_exception(StoppingError("The runtime is broken."))
                    return
                batch[0].done.set_exception(error if isinstance(error, ModelError) else ModelError("The ensemble failed on this scan."))
                return
            log.warning("a batch failed; each scan is run by itself", scans=len(batch), error=type(error).__name__)
            for waiting in batch:
                self._finish([waiting])
            return
        rows = [(waiting, modality, verdict) for waiting, (modality, verdict) in zip(batch, verdicts, strict=True)]
        by_halves(self._commit, rows, _refuse, lambda _: False)  # an outage is told to each: this thread must go on

    def _commit(self, rows: Sequence[ReadVerdict]) -> list[None]:
        """Writes verdicts together, and tells each scan."""
        try:
            kept = self._writer.do(_record, rows, self._quiet_seconds)
        except LedgerError as error:
            for waiting, _, _ in rows:
                waiting.done.set_exception(error)
        else:
            for (waiting, _, verdict), stands in zip(rows, kept, strict=True):
                waiting.done.set_result(verdict if stands else None)
        return []

    def _empty(self) -> None:
        while True:
            try:
                _, _, waiting = self._waiting.get_nowait()
            except queue.Empty:
                return
            if waiting is not None:
                waiting.done.set_exception(StoppingError("The worker stops."))


def _record(connection: Connection, rows: Sequence[ReadVerdict], quiet_seconds: float) -> list[bool]:
    written = [(waiting.claim, replace(waiting.facts, modality=modality), verdict) for waiting, modality, verdict in rows]
    return results.record_all(connection, written, quiet_seconds)


def _refuse(row: ReadVerdict, error: Exception) -> None:
    """The database refuses this very verdict; the error's own words may quote a row."""
    waiting, _, _ = row
    log.error("a verdict cannot be written", scan=waiting.claim.subject, error=type(error).__name__)
    waiting.done.set_exception(
        error if isinstance(error, LedgerFault) else LedgerFault(f"The verdict cannot be written ({type(error).__name__}).")
    )


def _by_judge(batch: Sequence[Waiting]) -> list[list[Waiting]]:
    """One share, but while champions change: what was prepared for the former is judged by the former."""
    shares: dict[int, list[Waiting]] = {}
    for waiting in batch:
        shares.setdefault(id(waiting.judge), []).append(waiting)
    return list(shares.values())
