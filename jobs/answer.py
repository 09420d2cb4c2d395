"""Answers doorbells: claims the subject's job, has it done, and tells in words for Flower what became of it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import structlog
from celery import Celery, Task
from sqlalchemy import Connection

from db.jobs import Claim
from jobs.kinds import JobKind
from jobs.leases import Leases
from lungline.errors import LunglineError, UnexpectedError

Subject = TypeVar("Subject")
Tell = Callable[[str], None]

log = structlog.get_logger()


class Answering(Generic[Subject]):
    """Answers the doorbells of some kinds that share a task; many threads call `answer` at once."""

    def __init__(
        self,
        leases: Leases,
        kinds: Sequence[JobKind],
        load: Callable[[Connection, Sequence[str]], Mapping[str, Subject]],
        handle: Callable[[Claim, Subject, Tell], str],
    ) -> None:
        """Answers nothing yet.

        Args:
            leases: of this worker.
            kinds: which jobs it does.
            load: finds what must be known of subjects, in the transaction that claims their jobs.
            handle: does a claimed job; what became of it, in words. It ends the job, or gives it back.
        """
        self._leases = leases
        self._kinds = tuple(kinds)
        self._load = load
        self._handle = handle
        self._stopping = threading.Event()
        self._count = threading.Lock()
        self.begun = 0
        self.busy = 0

    @property
    def task(self) -> str:
        """Celery's name of the doorbell."""
        return self._kinds[0].task

    def stop(self) -> None:
        """No further job is claimed."""
        self._stopping.set()

    def answer(self, subject: str, tell: Tell) -> str:
        """Does the job of a subject, if one waits; returns what became of it, in words for Flower.

        Args:
            subject: of the job.
            tell: hears now and then how far a long job is.

        Raises:
            LedgerError: the database is not to be had. The job waits, or its lease runs out, and its doorbell is rung again.
            UnexpectedError: anything else, without its words; likewise.
        """
        if self._stopping.is_set():
            return "returned: the worker stops"
        with self._count:
            self.begun += 1
            self.busy += 1
        try:
            with self._leases.claim(self._kinds, subject, self._load) as found:
                return "nothing to do: it does not wait" if found is None else self._handle(*found, tell)
        except LunglineError:
            raise
        except Exception as error:  # Celery tells an error's words to Redis and Flower, and they may quote a file or its header
            log.error("a job failed", kind=self._kinds[0].name, subject=subject, error=type(error).__name__)
            raise UnexpectedError(f"Unexpected {type(error).__name__}; run `lungline doctor`.") from None
        finally:
            with self._count:
                self.busy -= 1


def register(app: Celery, answering: Answering[Any]) -> None:
    """Makes `answering` answer this app's doorbells."""

    @app.task(name=answering.task, bind=True)
    def answer(self: "Task[Any, str]", subject: str) -> str:
        def tell(step: str) -> None:
            self.send_event("task-progress", result=step)  # Flower shows the task in a state of that name, with this for its result

        return answering.answer(subject, tell)
