"""The training worker: answers the doorbells of training runs one at a time, and has each run made by a process of its own."""

import shutil
import threading
import time
from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy import Connection

from db import job_leases, runs
from db.jobs import Claim
from db.migrate import open_database
from db.runs import Run
from db.tables import RunOutcome
from db.writer import Writer
from jobs.answer import Answering, Tell
from jobs.app import make_app
from jobs.consumer import serve
from jobs.kinds import TRAIN
from jobs.leases import Leases, let_go, site
from lungline.child_process import ChildProcess
from lungline.errors import ChildError, LedgerError, LedgerFault
from lungline.presence import Presence
from lungline.settings import Settings
from models import devices
from workers.outcome import RunResult, TrainingOrder, commit_outcome

NAME: Final = "training"
LOOK_SECONDS: Final = 5.0  # how often Flower hears what a run is at
STALLED_SECONDS: Final = 24 * 3600.0  # without a step or an epoch

log = structlog.get_logger()


class Trainer:
    """Makes training runs, one at a time."""

    def __init__(self, settings: Settings, writer: Writer, leases: Leases) -> None:
        self.answering = Answering(leases, (TRAIN,), _begin, self._train)
        self._settings = settings
        self._writer = writer
        self._leases = leases
        self._stopping = threading.Event()

    def stop(self) -> None:
        """No further run is begun; the one under way goes back to waiting, and goes on after its last epoch when it is claimed again."""
        self.answering.stop()
        self._stopping.set()

    def _train(self, claim: Claim, run: Run, tell: Tell) -> str:
        log.info("training run starts", run=run.run_id, attempt=claim.attempt, epochs_done=run.epochs_done)
        try:
            with _start(self._settings, TrainingOrder(claim=claim, run=run)) as child:
                outcome = self._attend(child, claim, run, tell)
        except ChildError as error:
            log.error("the training process died; its run waits again", run=run.run_id, error=error.kind)
            self._writer.do(let_go, claim, (TRAIN,))
            return "waits again: the training process died"
        if outcome is None:
            self._writer.do(job_leases.give_back, [claim])
            return "returned: the worker stops"
        try:
            return commit_outcome(self._settings, self._writer, claim, outcome)
        except LedgerFault as error:  # asked once more, the database would refuse again
            return commit_outcome(self._settings, self._writer, claim, RunResult(state=RunOutcome.FAILED, reason=str(error)))

    def _attend(self, child: ChildProcess[RunResult], claim: Claim, run: Run, tell: Tell) -> RunResult | None:
        """What the process answered, once it has ended; None if this worker is to stop.

        Raises:
            ChildError: it died, or made no progress for a day.
            LedgerError: another worker has the run.
        """
        progress: tuple[int, str | None] | None = None
        due, silent = time.monotonic(), 0.0
        while (outcome := child.wait(0.5)) is None:
            at = time.monotonic()
            if self._stopping.is_set():
                return None
            if not self._leases.has(claim):
                raise LedgerError("Another worker has claimed this run.")
            if at < due:
                continue
            due = at + LOOK_SECONDS
            before, progress = progress, self._progress(claim, progress)
            silent += LOOK_SECONDS  # counted in looks: a pause of this process is not the run's
            if progress != before:
                silent = 0.0
                tell(f"{progress[1] or 'begins'}, {progress[0]} epochs in all" if progress else "begins")
            elif silent > STALLED_SECONDS:
                raise ChildError("no progress for a day")
        return outcome

    def _progress(self, claim: Claim, before: tuple[int, str | None] | None) -> tuple[int, str | None] | None:
        try:
            return self._writer.do(runs.note_alive, claim.subject)
        except LedgerError:
            log.warning("the progress of a training run is not known now", run=claim.subject)
            return before


def _begin(connection: Connection, run_ids: Sequence[str]) -> dict[str, Run]:
    return {run_id: runs.begin(connection, run_id) for run_id in run_ids}


def _start(settings: Settings, order: TrainingOrder) -> ChildProcess[RunResult]:
    """At the lowest priority for the disk where `ionice` is at hand; for the CPU the process sees to it itself.

    Whoever ends it ends all that it started. A checkpoint is whole or not there, so nothing is lost.
    """
    idle = (ionice, "-c", "3") if (ionice := shutil.which("ionice")) else ()
    environment = devices.environment(settings.training_device)
    return ChildProcess("workers.training_child", order, RunResult, environment=environment, prefix=idle, quiet=False)


def run(settings: Settings) -> None:
    """`lungline work training`: makes training runs until SIGTERM or Ctrl-C.

    Raises:
        AlreadyRunningError: this home has a training worker.
    """
    presence = Presence.take(settings.layout.run, NAME)
    engine = open_database(settings)
    writer = Writer(engine)
    leases = Leases(writer, f"{site(settings)}-{NAME}", (TRAIN,))
    trainer = Trainer(settings, writer, leases)

    def ready() -> None:
        presence.tell(ready=True)
        log.info("ready")

    try:
        answerings = (trainer.answering,)
        serve(make_app(settings), f"{NAME}@{site(settings)}", 1, TRAIN.queues, answerings, on_ready=ready, on_stop=trainer.stop)
    finally:
        leases.stop()
        writer.close()
        engine.dispose()
        log.info("stopped")
