"""The one thread of a process that writes: what arrives while a transaction is under way shares the next one.

SQLite allows one writer at a time and each commit waits for the disk, so 64 reading threads commit together or wait for each other.
"""

import itertools
import queue
import random
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, TypeVarTuple, cast

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from db import errors
from lungline.errors import LedgerError, LedgerFault
from lungline.halves import by_halves

_MOST_AT_ONCE: Final = 128
_MOST_TRIES: Final = 5  # of a transaction that meets another
_PAUSE_SECONDS: Final = 0.1  # before the second, and so much longer before each further one

Item = TypeVar("Item")
Same = TypeVarTuple("Same")
T = TypeVar("T")
P = ParamSpec("P")
Answer = tuple[Any, Exception | None]

log = structlog.get_logger()


@dataclass(frozen=True, eq=False)
class _Request:
    """What one caller asks for."""

    work: Callable[[Connection, Sequence[Any]], Sequence[Any]]
    """Given the items of all requests that are `alike`, returns an answer for each."""
    item: Any
    alike: Hashable
    answer: "Future[Any]" = field(default_factory=Future)


class _RefusedError(Exception):
    """The work of a savepoint failed, and was rolled back; `__cause__` tells how."""


class Writer:
    """Runs functions of a connection, each in its savepoint, many in one transaction; a caller returns once its own is committed."""

    def __init__(self, engine: Engine) -> None:
        self.engine: Final = engine
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
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
        return cast(T, self._ask(_Request(lambda connection, _: [work(connection, *arguments, **named)], None, object())))

    def do_together(self, work: Callable[[Connection, Sequence[Item], *Same], Sequence[T]], item: Item, *same: *Same) -> T:
        """Runs `work(connection, items, *same)` once for what many callers ask for at a time; returns the answer to `item`.

        Args:
            work: answers items in their order. If it fails with many, it is tried with fewer, so that one spoils no other.
            item: of this caller.
            same: only what has the same `work` and `same`, which must be hashable, is done together.

        Raises:
            LedgerError, LedgerFault: as `do`.
        """
        return cast(T, self._ask(_Request(lambda connection, items: work(connection, items, *same), item, (work, same))))

    def _ask(self, request: _Request) -> Any:
        with self._closing:  # nothing may be queued behind the end
            if self._closed:
                raise LedgerError("This process is stopping, and no longer writes.")
            self._requests.put(request)
        return request.answer.result()

    def close(self) -> None:
        """Finishes what was asked for, then stops."""
        with self._closing:
            self._closed = True
            self._requests.put(None)
        self._thread.join(timeout=40)

    def _run(self) -> None:
        going_on = True
        while going_on:
            requests: list[_Request] = []
            request = self._requests.get()
            while request is not None:
                requests.append(request)
                if len(requests) == _MOST_AT_ONCE or self._requests.empty():
                    break
                request = self._requests.get()
            going_on = request is not None
            if requests:
                self._commit_or_tell(requests)

    def _commit_or_tell(self, requests: list[_Request]) -> None:
        """Nobody waits for ever, whatever goes wrong here: this thread is the only one that writes."""
        try:
            by_halves(self._commit, requests, _fail, errors.is_outage)
        except BaseException as error:
            log.error("the writer failed", error=type(error).__name__, at=_place(error))
            for request in requests:
                if not request.answer.done():
                    request.answer.set_exception(LedgerError(f"Nothing was written ({type(error).__name__})."))

    def _commit(self, requests: Sequence[_Request]) -> list[None]:
        """Tells each caller what became of its request, unless a commit fails that one of them spoils."""
        try:
            answers = self._tried(requests)
        except Exception as error:
            if not errors.is_outage(error):
                raise
            answers = [(None, error)] * len(requests)
        for request, (answer, failure) in zip(requests, answers, strict=True):
            _answer(request, answer, failure)
        return []

    def _tried(self, requests: Sequence[_Request]) -> list[Answer]:
        for number in itertools.count(1):
            try:
                return self._once(requests)
            except Exception as error:
                if not errors.is_conflict(error) or number == _MOST_TRIES:
                    raise
                time.sleep(random.uniform(0.0, _PAUSE_SECONDS * number))  # not at once: the other may try again, too
        raise AssertionError

    def _once(self, requests: Sequence[_Request]) -> list[Answer]:
        alike: dict[Hashable, list[_Request]] = defaultdict(list)
        for request in requests:
            alike[request.alike].append(request)
        answers: dict[_Request, Answer] = {}
        with self.engine.begin() as connection:
            step = partial(_in_savepoint, connection)
            for group in alike.values():
                found = by_halves(step, group, _refused, lambda error: not isinstance(error, _RefusedError))
                answers.update(zip(group, found, strict=True))
        return [answers[request] for request in requests]


def _in_savepoint(connection: Connection, requests: Sequence[_Request]) -> list[Answer]:
    savepoint = connection.begin_nested()
    try:
        answers = requests[0].work(connection, [request.item for request in requests])
    except Exception as error:
        # The server is gone or the disk is full, and with it the transaction of all: SQLite rolls it back by itself, and would commit
        # what comes after request by request.
        cause = _first(error)
        if errors.is_outage(cause) or connection.invalidated:
            raise cause from None
        savepoint.rollback()
        raise _RefusedError from error
    savepoint.commit()  # if it fails, so has the transaction: PostgreSQL would roll back where it is told to commit
    return [(answer, None) for answer in answers]


def _refused(_: _Request, refusal: Exception) -> Answer:
    assert isinstance(refusal.__cause__, Exception)
    return None, refusal.__cause__


def _fail(request: _Request, error: Exception) -> None:
    _answer(request, None, error)


def _answer(request: _Request, answer: Any, failure: Exception | None) -> None:
    if failure is None:
        request.answer.set_result(answer)
        return
    ours = errors.translate(failure)
    if isinstance(ours, LedgerFault):
        log.error("the database refuses a request", error=errors.name(failure), at=_place(failure))
    request.answer.set_exception(ours)


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
