"""Takes in what has settled: stages some files under `incoming`, and enters them while it stages the next."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import structlog

from db.tables import Outcome
from lungline.errors import LedgerError, LunglineError, StoreError
from lungline.halves import by_halves
from lungline.reasons import Reason
from lungline.settings import Settings
from watcher.entering import Entering
from watcher.faults import Guard, is_away, until_possible
from watcher.file_errors import FileError, Unfinished
from watcher.intake import Intake
from watcher.label_drops import LabelDrops, Taken, are_labels
from watcher.sightings import Sightings, StableFile
from watcher.staging import StagedFile

_TOGETHER = 256  # files a transaction

log = structlog.get_logger()


class Taking:
    """One thread calls it; another enters what it staged."""

    def __init__(
        self,
        settings: Settings,
        sightings: Sightings,
        intake: Intake,
        entering: Entering,
        labels: LabelDrops,
        entered: Callable[[], None],  # called after each batch: some scans wait now
        stop: threading.Event,
    ) -> None:
        self._settings = settings
        self._sightings = sightings
        self._stability = sightings.stability
        self._intake = intake
        self._entering = entering
        self._labels = labels
        self._entered = entered
        self._stop = stop
        self._guard = Guard()
        self._enterer = ThreadPoolExecutor(1, thread_name_prefix="enter")
        self._batch: Future[None] | None = None

    def close(self) -> None:
        """Ends after the batch that is being entered, which gives up waiting for the database when told to stop."""
        self._enterer.shutdown()

    def take_in(self, at: float) -> bool:
        """Takes in some of what has settled, urgent files first; False if the store cannot take them now."""
        stable = self._sightings.due(at, _TOGETHER)
        if not stable:
            return True
        try:
            fresh = self._fresh(stable)
        except (LedgerError, StoreError) as error:
            return self._not_now(stable, at, error)
        staged, obstacle = self._stage(fresh, at)
        self.wait()  # one batch is entered while the next is staged, no more
        if staged:
            self._batch = self._enterer.submit(self._guard.run, "enter", partial(self._enter, staged), None)
        return obstacle is None or self._not_now([], at, obstacle)

    def wait(self) -> None:
        """Waits for the batch that is being entered."""
        if self._batch is not None:
            batch, self._batch = self._batch, None
            batch.result()

    def _fresh(self, stable: list[StableFile]) -> list[StableFile]:
        """Those that were not taken in before, where files stay in the inbox."""
        if self._settings.intake == "move":
            return stable
        known = by_halves(self._known, stable, lambda _file, _error: "", is_away)
        for file in stable:
            if file.path in known:
                self._sightings.stay(file)
        return [file for file in stable if file.path not in known]

    def _known(self, stable: Sequence[StableFile]) -> list[str]:
        return list(self._intake.known([(file.path, file.status) for file in stable]))

    def _enter(self, staged: list[StagedFile]) -> None:
        outcomes = until_possible(partial(self._entering.enter, staged), self._stop) or []
        self._entered()
        log.info("taken in", **{outcome.value: outcomes.count(outcome) for outcome in Outcome})

    def _not_now(self, stable: list[StableFile], at: float, error: Exception) -> bool:
        log.warning("not taking in", advice=str(error))
        for file in stable:
            self._stability.postpone(file.path, at + self._settings.quiet_seconds)
        return False

    def _stage(self, stable: list[StableFile], at: float) -> tuple[list[StagedFile], LunglineError | None]:
        """Stages what is whole; what is not is due again later. What is in the way of the store, if it cannot take some."""
        staged: list[StagedFile] = []
        obstacle: LunglineError | None = None
        for file, result in zip(stable, self._intake.disk_threads.run_for_each(self._try, stable), strict=True):
            match result:
                case StagedFile():
                    staged.append(result)
                    self._sightings.stay(file) if result.drop.stay_key is not None else self._stability.forget(file.path)
                case Taken():
                    self._sightings.stay(file) if result.stays else self._stability.forget(file.path)
                case Unfinished():
                    self._stability.note_unfinished(file.path, at)
                case StoreError() | LedgerError():
                    obstacle = result
                    self._stability.postpone(file.path, at + self._settings.quiet_seconds)
                case FileError():
                    if self._stability.note_failure(file.path, at):
                        staged += self._give_up(file, Reason.UNREADABLE)
                case Exception():
                    self._stability.note_failure(file.path, at)
                    staged += self._give_up(file, Reason.INTERNAL_ERROR)
                case None:
                    self._stability.postpone(file.path, at + self._settings.quiet_seconds)
        return staged, obstacle

    def _try(self, file: StableFile) -> StagedFile | Taken | Exception | None:
        """In one of several threads: tells what it raises, so that each file has its own."""
        try:
            if are_labels(file.path, file.status, self._settings.inbox):
                return self._labels.take(file.path, file.status, file.age)
            return self._intake.stage(file.path, file.status, file.priority, file.hint, file.age)
        except (Unfinished, FileError, StoreError, LedgerError) as error:
            return error
        except Exception as error:
            log.error("a file cannot be taken in", error=type(error).__name__)
            return error

    def _give_up(self, file: StableFile, reason: Reason) -> list[StagedFile]:
        try:
            staged = self._intake.give_up(file.path, file.status, file.priority, file.hint, reason)
        except Exception as error:
            if not isinstance(error, (FileError, StoreError)):
                log.error("a file cannot be refused for good", error=type(error).__name__)
            return []  # due again
        self._sightings.stay(file)
        return [] if staged is None else [staged]
