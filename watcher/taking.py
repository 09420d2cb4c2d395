"""Takes in what has settled: brings some files under `incoming`, and enters them while it brings the next."""

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
from watcher.brought import Brought
from watcher.entering import Entering
from watcher.faults import Guard, is_away, until_possible
from watcher.intake import Intake
from watcher.label_drops import LabelDrops, Taken, are_labels
from watcher.sightings import Settled, Sightings
from watcher.trouble import FileError, Unfinished

_TOGETHER = 256  # files a transaction

log = structlog.get_logger()


class Taking:
    """One thread calls it; another enters what it brought."""

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
        self._settling = sightings.settling
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
        settled = self._sightings.due(at, _TOGETHER)
        if not settled:
            return True
        try:
            fresh = self._fresh(settled)
        except (LedgerError, StoreError) as error:
            return self._not_now(settled, at, error)
        brought, trouble = self._bring(fresh, at)
        self.wait()  # one batch is entered while the next is brought, no more
        if brought:
            self._batch = self._enterer.submit(self._guard.run, "enter", partial(self._enter, brought), None)
        return trouble is None or self._not_now([], at, trouble)

    def wait(self) -> None:
        """Waits for the batch that is being entered."""
        if self._batch is not None:
            batch, self._batch = self._batch, None
            batch.result()

    def _fresh(self, settled: list[Settled]) -> list[Settled]:
        """Those that were not taken in before, where files stay in the inbox."""
        if self._settings.intake == "move":
            return settled
        known = by_halves(self._known, settled, lambda _one, _error: "", is_away)
        for one in settled:
            if one.path in known:
                self._sightings.stay(one)
        return [one for one in settled if one.path not in known]

    def _known(self, settled: Sequence[Settled]) -> list[str]:
        return list(self._intake.known([(one.path, one.status) for one in settled]))

    def _enter(self, brought: list[Brought]) -> None:
        outcomes = until_possible(partial(self._entering.enter, brought), self._stop) or []
        self._entered()
        log.info("taken in", **{outcome.value: outcomes.count(outcome) for outcome in Outcome})

    def _not_now(self, settled: list[Settled], at: float, error: Exception) -> bool:
        log.warning("not taking in", advice=str(error))
        for one in settled:
            self._settling.again(one.path, at + self._settings.quiet_seconds)
        return False

    def _bring(self, settled: list[Settled], at: float) -> tuple[list[Brought], LunglineError | None]:
        """Brings what is whole; what is not is due again later. What is in the way of the store, if it cannot take some."""
        brought: list[Brought] = []
        trouble: LunglineError | None = None
        for one, result in zip(settled, self._intake.hands.each(self._try, settled), strict=True):
            match result:
                case Brought():
                    brought.append(result)
                    self._sightings.stay(one) if result.drop.stay_key is not None else self._settling.forget(one.path)
                case Taken():
                    self._sightings.stay(one) if result.stays else self._settling.forget(one.path)
                case Unfinished():
                    self._settling.not_whole(one.path, at)
                case StoreError() | LedgerError():
                    trouble = result
                    self._settling.again(one.path, at + self._settings.quiet_seconds)
                case FileError():
                    if self._settling.failed(one.path, at):
                        brought += self._give_up(one, Reason.UNREADABLE)
                case Exception():
                    self._settling.failed(one.path, at)
                    brought += self._give_up(one, Reason.INTERNAL_ERROR)
                case None:
                    self._settling.again(one.path, at + self._settings.quiet_seconds)
        return brought, trouble

    def _try(self, one: Settled) -> Brought | Taken | Exception | None:
        """In one of several threads: tells what it raises, so that each file has its own."""
        try:
            if are_labels(one.path, one.status, self._settings.inbox):
                return self._labels.take(one.path, one.status, one.age)
            return self._intake.bring(one.path, one.status, one.priority, one.hint, one.age)
        except (Unfinished, FileError, StoreError, LedgerError) as error:
            return error
        except Exception as error:
            log.error("a file cannot be taken in", error=type(error).__name__)
            return error

    def _give_up(self, one: Settled, reason: Reason) -> list[Brought]:
        try:
            brought = self._intake.give_up(one.path, one.status, one.priority, one.hint, reason)
        except Exception as error:
            if not isinstance(error, (FileError, StoreError)):
                log.error("a file cannot be given up", error=type(error).__name__)
            return []  # due again
        self._sightings.stay(one)
        return [] if brought is None else [brought]
