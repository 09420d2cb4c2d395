"""The one thread of a process that writes: what arrives while a transaction is under way shares the next one.

SQLite allows one writer at a time and each commit waits for the disk, so 64 reading threads commit together or wait for each other.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from lungline.errors import LedgerError

_MOST_AT_ONCE = 128

T = TypeVar("T")
Job = tuple[Callable[[Connection], Any], "Future[Any]"]


class Writer:
    """Runs functions of a connection, each in its savepoint, many in one transaction; a caller returns once its own is committed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def do(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` and waits for its commit.

        Raises:
            LedgerError: the database cannot be written to now; nothing of `work` remains.
        """
        future: Future[T] = Future()
        with self._closing:  # nothing may be queued behind the end
            if self._closed:
                raise LedgerError("This process is stopping and writes no more.")
            self._jobs.put((work, future))
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
                self._commit(jobs)

    def _commit(self, jobs: list[Job]) -> None:
        answers: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            with self._engine.begin() as connection:
                for work, future in jobs:
                    try:
                        with connection.begin_nested():
                            answer = work(connection)
                        answers.append((future, answer, None))
                    except Exception as error:
                        # The server is gone or the disk is full, and with it the transaction of all: SQLite rolls it back by itself,
                        # and would commit what comes after job by job.
                        if isinstance(error, OperationalError) or connection.invalidated:
                            raise
                        answers.append((future, None, _own(error)))
        except Exception as error:
            answers = [(future, None, _own(error)) for _, future in jobs]
        for future, answer, failure in answers:
            if failure is None:
                future.set_result(answer)
            else:
                future.set_exception(failure)


def _own(error: Exception) -> Exception:
    if isinstance(error, (SQLAlchemyError, OSError)):
        # a driver's message may hold parameters
        return LedgerError(
            f"The database cannot be written to ({type(error).__name__}); see LUNGLINE_DATABASE_URL and the disk's free space."
        )
    return error
