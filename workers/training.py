"""The training worker: a Celery consumer of the queue `training`, with one hand, which has each run made by a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any, Final

import structlog
from celery import Celery, Task
from celery.signals import worker_ready, worker_shutting_down

from db import runs
from db.migrate import open_database
from db.runs import RunClaim
from db.tables import RunState
from db.writer import Writer
from lungline.errors import LedgerError, LedgerFault, LunglineError, UnexpectedError
from lungline.ids import new_id
from lungline.presence import Presence
from lungline.settings import Settings
from models import devices
from workers.app import make_app
from workers.consume import consume, mind_deafness
from workers.lease import boot_id, site
from workers.outcome import Outcome, settle
from workers.queues import RETRAIN, TRAINING

NAME: Final = "training"
RENEW_SECONDS: Final = 5.0  # also how often Flower hears what a run is at
STALLED_SECONDS: Final = 24 * 3600.0  # without a step or an epoch

log = structlog.get_logger()

Tell = Callable[[str], None]


class Trainer:
    """Answers the doorbells of training runs, one at a time."""

    def __init__(self, settings: Settings, writer: Writer) -> None:
        self._settings = settings
        self._writer = writer
        slot = f"{site(settings)}-{NAME}"
        self._owner = f"{slot}/{boot_id()}/{new_id()[-12:]}"
        self._stopping = threading.Event()
        self.begun = 0
        self.busy = 0
        if writer.do(lambda connection: runs.free_slot(connection, slot)):
            log.warning("took over from a training worker that died")

    def stop(self) -> None:
        """No further run is begun; the one under way goes back to waiting, and goes on after its last epoch when it is claimed again."""
        self._stopping.set()

    def retrain(self, run_id: str, tell: Tell) -> str:
        """Answers a doorbell; returns what became of the run, in words for Flower.

        Args:
            run_id: the run.
            tell: hears now and then what it is at.

        Raises:
            LedgerError: the database is not to be had, or another worker has the run; its lease runs out, and its bell is rung again.
            LedgerFault: the database refuses what is asked of it; likewise, until the run is given up (`runs.MOST_BARREN`).
            UnexpectedError: anything else, without its words; likewise.
        """
        if self._stopping.is_set():
            return "returned: the worker stops"
        self.begun += 1
        self.busy += 1
        try:
            claim = self._writer.do(lambda connection: runs.claim(connection, run_id, self._owner))
            return "nothing to do: it does not wait, or another runs" if claim is None else self._run(claim, tell)
        except LunglineError:
            raise
        except Exception as error:  # Celery tells an error's words to Redis and Flower
            log.error("a training run cannot go on", run=run_id, error=type(error).__name__)
            raise UnexpectedError(f"Unexpected {type(error).__name__}; run `lungline doctor`.") from None
        finally:
            self.busy -= 1

    def _run(self, claim: RunClaim, tell: Tell) -> str:
        log.info("training run begins", run=claim.run_id, attempt=claim.attempt, epochs_done=claim.epochs_done)
        process = _start(self._settings)
        try:
            said = self._attend(process, claim, tell)
        finally:
            _kill(process)
        if said is None:
            self._writer.do(lambda connection: runs.give_back(connection, claim))
            return "returned: the worker stops"
        try:
            ended = Outcome(**json.loads(said.splitlines()[-1]))
        except (IndexError, ValueError, TypeError):
            log.error("the training process died; its run waits anew", run=claim.run_id, exit=process.returncode)
            self._writer.do(lambda connection: runs.let_go(connection, claim))
            return "waits again: the training process died"
        with self._renewing(claim):
            try:
                return settle(self._settings, self._writer, claim, ended)
            except LedgerFault as error:  # asked once more, the database would refuse again
                return settle(self._settings, self._writer, claim, Outcome(RunState.FAILED, str(error)))

    def _attend(self, process: "subprocess.Popen[str]", claim: RunClaim, tell: Tell) -> str | None:
        """What the process said, once it has ended; None if this worker is to stop. The lease is renewed meanwhile.

        Raises:
            LedgerError: another worker has the run.
        """
        given: str | None = json.dumps({"claim": asdict(claim), "parent": os.getpid()}) + "\n"
        told: tuple[int, str | None] | None = None
        due, silent = time.monotonic(), 0.0
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.communicate(given, timeout=0.5)[0]
            given = None
            at = time.monotonic()
            if self._stopping.is_set():
                return None
            if at < due:
                continue
            due = at + RENEW_SECONDS
            before, told = told, self._renewed(claim, told)
            silent += RENEW_SECONDS  # counted in looks: a pause of this process is not the run's
            if told != before:
                silent = 0.0
                tell(f"{told[1] or 'begins'}, {told[0]} epochs in all" if told else "begins")
            elif silent > STALLED_SECONDS:
                log.error("no step of the training run for a day; its process is ended", run=claim.run_id)
                return ""

    @contextmanager
    def _renewing(self, claim: RunClaim) -> Iterator[None]:
        """Keeps the lease while files are copied, perhaps to a slow share."""
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(RENEW_SECONDS):
                with suppress(Exception):  # whatever it is, the next turn tries again; `_renewed` tells of what is to be told
                    self._renewed(claim, None)

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(timeout=60)

    def _renewed(self, claim: RunClaim, before: tuple[int, str | None] | None) -> tuple[int, str | None] | None:
        try:
            told = self._writer.do(lambda connection: runs.renew(connection, claim))
        except LedgerError:
            log.warning("lease of a training run not renewed", run=claim.run_id)
            return before
        if told is None:
            raise LedgerError("Another worker has this run.")
        return told


def _start(settings: Settings) -> "subprocess.Popen[str]":
    """The process waits for its claim; at the lowest priority for CPU, and for the disk where `ionice` is at hand."""
    idle = [ionice, "-c", "3"] if (ionice := shutil.which("ionice")) else []
    return subprocess.Popen(
        [*idle, sys.executable, "-P", "-m", "workers.training_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **devices.environment(settings.training_device)},
        start_new_session=True,
    )


def _kill(process: "subprocess.Popen[str]") -> None:
    """Ends the process with all that it started. A checkpoint is whole or not there, so nothing is lost."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


def register(app: Celery, trainer: Trainer) -> None:
    """Makes `trainer` answer this app's doorbells."""

    @app.task(name=RETRAIN, bind=True)
    def retrain(self: "Task[Any, str]", run_id: str) -> str:
        def tell(step: str) -> None:
            self.send_event("task-progress", result=step)  # Flower shows the task in a state of that name, with this for its result

        return trainer.retrain(run_id, tell)


def run(settings: Settings) -> None:
    """`lungline work training`: makes training runs until SIGTERM or Ctrl-C.

    Raises:
        AlreadyRunningError: this home has a training worker.
    """
    presence = Presence.take(settings.run, NAME)
    engine = open_database(settings)
    writer = Writer(engine)
    trainer = Trainer(settings, writer)
    app = make_app(settings)
    register(app, trainer)
    ended = threading.Event()

    # Celery keeps weak references to receivers: these names must outlive the consumer.
    def on_ready(**_: Any) -> None:
        presence.tell(ready=True)
        log.info("ready")

    def on_stop(**_: Any) -> None:
        trainer.stop()

    worker_ready.connect(on_ready)
    worker_shutting_down.connect(on_stop)
    threading.Thread(target=mind_deafness, args=(app, (TRAINING,), trainer, ended), name="deafness", daemon=True).start()
    try:
        consume(app, f"{NAME}@{site(settings)}", 1, (TRAINING,))
    finally:
        ended.set()
        writer.close()
        engine.dispose()
        log.info("stopped")
