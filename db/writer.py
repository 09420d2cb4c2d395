"""The one thread of a process that writes: what arrives while a transaction is under way shares the next one.

SQLite allows one writer at a time and each commit waits for the disk, so 64 reading threads commit together or wait for each other.
"""

import itertools
import queue
import random
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from db import errors
from lungline.errors import LedgerError, LedgerFault
from lungline.halves import by_halves

_MOST_AT_ONCE: Final = 128
_MOST_TRIES: Final = 5  # of a transaction that meets another
_PAUSE_SECONDS: Final = 0.1  # before the second, and so much longer before each further one

T = TypeVar("T")
P = ParamSpec("P")
Job = tuple[Callable[[Connection], Any], "Future[Any]"]
Answer = tuple[Any, Exception | None]

log = structlog.get_logger()


class Writer:
    """Runs functions of a connection, each in its savepoint, many in one transaction; a caller returns once its own is committed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def do(self, work: Callable[Concatenate[Connection, P], T], *arguments: P.args, **named: P.kwargs) -> T:
        """Runs `work(connection, *arguments, **named)` and waits for its commit.

        It may be run several times, and must leave nothing but rows.

        Raises:
            LedgerError: the database cannot be written to now; nothing of `work` remains. The same may pass later.
            LedgerFault: the database refuses `work`; nothing of it remains, and what was asked for beside it stands.
        """
        future: Future[T] = Future()
        with self._closing:  # nothing may be queued behind the end
            if self._closed:
                raise LedgerError("This process is stopping and writes no more.")
            self._jobs.put((lambda connection: work(connection, *arguments, **named), future))
        return future.result()

    def close(self) -> None:
        """Finishes what was asked for, then stops."""
        with self._closing:
            self._closed = True
            self._jobs.put(None)
        self._thread.join(timeout=40)

    def _run(self) -> None:
        going_on = True
        while going_on:
            jobs: list[Job] = []
            job = self._jobs.get()
            while job is not None:
                jobs.append(job)
                if len(jobs) == _MOST_AT_ONCE or self._jobs.empty():
                    break
                job = self._jobs.get()
            going_on = job is not None
            if jobs:
                self._commit_or_tell(jobs)

    def _commit_or_tell(self, jobs: list[Job]) -> None:
        """Nobody waits for ever, whatever goes wrong here: this thread is the only one that writes."""
        try:
            by_halves(self._commit, jobs, _fail, errors.is_outage)
        except BaseException as error:
            log.error("the writer failed", error=type(error).__name__, at=_place(error))
            for _, future in jobs:
                if not future.done():
                    future.set_exception(LedgerError(f"Nothing was written ({type(error).__name__})."))

    def _commit(self, jobs: Sequence[Job]) -> list[None]:
        """Tells each job what became of it, unless a commit fails that one of them spoils."""
        try:
            answers = self._tried(jobs)
        except Exception as error:
            if not errors.is_outage(error):
                raise
            answers = [(None, error)] * len(jobs)
        for job, (answer, failure) in zip(jobs, answers, strict=True):
            _answer(job, answer, failure)
        return []

    def _tried(self, jobs: Sequence[Job]) -> list[Answer]:
        for number in itertools.count(1):
            try:
                return self._once(jobs)
            except Exception as error:
                if not errors.is_conflict(error) or number == _MOST_TRIES:
                    raise
                time.sleep(random.uniform(0.0, _PAUSE_SECONDS * number))  # not at once: the other may try again, too
        raise AssertionError

    def _once(self, jobs: Sequence[Job]) -> list[Answer]:
        answers: list[Answer] = []
        with self._engine.begin() as connection:
            for work, _ in jobs:
                savepoint = connection.begin_nested()
                try:
                    answer = work(connection)
                except Exception as error:
                    # The server is gone or the disk is full, and with it the transaction of all: SQLite rolls it back by itself, and
                    # would commit what comes after job by job.
                    cause = _first(error)
                    if errors.is_outage(cause) or connection.invalidated:
                        raise cause from None
                    savepoint.rollback()
                    answers.append((None, error))
                else:
                    savepoint.commit()  # if it fails, so has the transaction: PostgreSQL would roll back where it is told to commit
                    answers.append((answer, None))
        return answers


def _fail(job: Job, error: Exception) -> None:
    _answer(job, None, error)


def _answer(job: Job, answer: Any, failure: Exception | None) -> None:
    _, future = job
    if failure is None:
        future.set_result(answer)
        return
    ours = errors.translate(failure)
    if isinstance(ours, LedgerFault):
        log.error("the database refuses a job", error=errors.name(failure), at=_place(failure))
    future.set_exception(ours)


def _first(error: Exception) -> Exception:
    """What went wrong at first: where SQLite has rolled back by itself, the way back to a savepoint fails, too, and says something else."""
    before: BaseException | None = error
    while before is not None:
        if isinstance(before, SQLAlchemyError) and errors.is_outage(before):
            return before
        before = before.__context__
    return error


def _place(error: BaseException) -> str:
    """Where in our code, without words."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    return f"{Path(own[-1].filename).stem}:{own[-1].lineno}" if own else "-"
