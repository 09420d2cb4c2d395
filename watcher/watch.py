"""The watcher: walks the inbox, lets files settle, takes them in, and has their doorbells rung."""

import os
import signal
import stat
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import structlog

from db.migrate import open_database
from db.tables import Outcome, Priority
from db.writer import Writer
from lungline.errors import LedgerError, StoreError
from lungline.presence import Presence
from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings
from lungline.store import Store
from watcher.dispatch import Dispatcher
from watcher.intake import Brought, Intake
from watcher.observe import observe
from watcher.relook import relook
from watcher.settle import EMPTY_PATIENCE_SECONDS, PATIENCE_SECONDS, Settling, Signature, has_writer, lacks_end, signature
from watcher.walk import patterns, said_by_folders, walk
from workers.app import make_app

RESCAN_SECONDS = 60.0
POLL_SECONDS = 2.0
_RELOOK_SECONDS = 15.0
_TOGETHER = 64  # files a transaction
_WALK_SHARE = 4  # walking takes a quarter of the time at most, however large the inbox

T = TypeVar("T")

log = structlog.get_logger()


class Watcher:
    """One inbox, watched until `stop`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ignore = patterns(settings.ignore)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._settling = Settling(settings.quiet_seconds)
        self._stayed: dict[str, Signature] = {}  # taken in, and still in the inbox
        self._engine = open_database(settings)
        self._writer = Writer(self._engine)
        self._store = Store(settings.store)
        self._intake = Intake(self._store, self._writer, PseudonymKey.load_or_create(settings.key_file), settings.intake)
        self._dispatcher = Dispatcher(make_app(settings), self._writer)

    def stop(self) -> None:
        """Ends `run` after the step under way. Not for a signal handler: it waits for locks that the interrupted code may hold."""
        self._stop.set()
        self._wake.set()

    def run(self, presence: Presence) -> None:
        """Watches until `stop`. What lies in the inbox already counts too."""
        # A sender that opens a file while `has_writer` asks about it makes the kernel send this; it would end the process.
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        self._settings.inbox.mkdir(parents=True, exist_ok=True)
        finished = self._until_possible(self._intake.finish)
        self._dispatcher.start()
        observer = observe(self._settings.inbox, self._settings.observer, self._wake.set)
        log.info("watching", mode="inotify" if observer else "polling", finished=finished)
        presence.tell(ready=True)
        try:
            self._loop(POLL_SECONDS if observer is None else RESCAN_SECONDS)
        finally:
            if observer is not None:
                observer.stop()
            self._dispatcher.stop()
            self._writer.close()
            self._engine.dispose()
            log.info("stopped")

    def _loop(self, rescan: float) -> None:
        next_walk = next_relook = may_walk = 0.0
        while not self._stop.is_set():
            at = time.monotonic()
            if at >= next_walk or (self._wake.is_set() and at >= may_walk):
                self._wake.clear()
                self._walk(at)
                took = time.monotonic() - at
                next_walk, may_walk = at + max(rescan, took * _WALK_SHARE), at + took * _WALK_SHARE
            if at >= next_relook:
                next_relook = at + _RELOOK_SECONDS
                self._relook()
            self._take_in(time.monotonic())
            self._rest(next_walk, may_walk, next_relook)

    def _rest(self, next_walk: float, may_walk: float, next_relook: float) -> None:
        at = time.monotonic()
        until = min(next_walk, next_relook, self._settling.next_due() or next_walk)
        if self._wake.is_set():  # an event came, but the last walk was long: not yet
            self._stop.wait(max(0.0, min(until, may_walk) - at))
        elif not self._stop.is_set():  # its waking may have been taken for an event
            self._wake.wait(max(0.0, until - at))

    def _walk(self, at: float) -> None:
        met: set[str] = set()
        for path, status in walk(self._settings.inbox, self._ignore):
            met.add(path)
            if self._stayed.get(path) != signature(status):
                self._settling.see(path, status, at)
        self._settling.keep_only(met)
        for path in self._stayed.keys() - met:
            del self._stayed[path]

    def _relook(self) -> None:
        try:
            if relook(self._store, self._writer):
                self._dispatcher.wake()
        except (LedgerError, OSError) as error:
            log.warning("not looking at truncated files again", error=type(error).__name__)

    def _take_in(self, at: float) -> None:
        """Takes in what has settled, urgent files first."""
        ready = sorted(
            (said_by_folders(path, self._settings.inbox)[0] is not Priority.STAT, order, path)
            for order, path in enumerate(self._settling.due(at))
        )
        for start in range(0, len(ready), _TOGETHER):
            paths = [path for _, _, path in ready[start : start + _TOGETHER]]
            if self._stop.is_set():
                break
            brought = [one for one in map(self._try, paths) if one is not None]
            if brought:
                outcomes = self._until_possible(partial(self._intake.enter, brought)) or []
                self._dispatcher.wake()
                log.info("taken in", **{outcome.value: outcomes.count(outcome) for outcome in Outcome})

    def _try(self, path: str) -> Brought | None:
        at = time.monotonic()
        try:
            status = os.lstat(path)
        except OSError:
            self._settling.forget(path)
            return None
        if not self._settling.see(path, status, at) or self._is_unfinished(path, status, at):
            return None
        priority, hint = said_by_folders(path, self._settings.inbox)
        try:
            if self._settings.intake == "leave" and self._intake.is_known(path, status):
                self._stay(path, status)
                return None
            brought = self._intake.bring(path, status, priority, hint)
        except (StoreError, LedgerError) as error:
            log.warning("not taking in", advice=str(error))
            self._settling.again(path, at + 10)
            return None
        if brought is None:
            self._settling.again(path, at + self._settings.quiet_seconds)
        elif brought.drop.stay_key is not None:
            self._stay(path, status)
        else:
            self._settling.forget(path)
        return brought

    def _stay(self, path: str, status: os.stat_result) -> None:
        self._stayed[path] = signature(status)
        self._settling.forget(path)

    def _is_unfinished(self, path: str, status: os.stat_result, at: float) -> bool:
        if not stat.S_ISREG(status.st_mode):
            return False
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False  # intake says why
        try:
            if has_writer(descriptor) or (status.st_size and lacks_end(descriptor, status.st_size)):
                return self._settling.patience(path, at, PATIENCE_SECONDS)
            return status.st_size == 0 and self._settling.patience(path, at, EMPTY_PATIENCE_SECONDS)
        except OSError:
            return False
        finally:
            os.close(descriptor)

    def _until_possible(self, step: Callable[[], T]) -> T | None:
        """Repeats a step that needs the database until it is to be had; None if the watcher stops first."""
        pause = 1.0
        while True:
            try:
                return step()
            except (LedgerError, OSError) as error:
                log.warning("waiting for database or store", error=type(error).__name__, seconds=pause)
            if self._stop.wait(pause):
                return None
            pause = min(pause * 2, 30.0)


def run(settings: Settings) -> None:
    """`lungline watch`: watches until SIGTERM or Ctrl-C."""
    presence = Presence.take(settings.run, "watch")
    watcher = Watcher(settings)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: threading.Thread(target=watcher.stop, name="stopper").start())
    watcher.run(presence)
