"""The watcher: walks the inbox, lets files settle, takes them in, and has their doorbells rung."""

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import TypeVar

import structlog

from db.migrate import open_database
from db.tables import Outcome, Priority
from db.writer import Writer
from lungline.errors import LedgerError, LunglineError, StoreError
from lungline.findings import Modality
from lungline.presence import Presence
from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings
from lungline.store import Store
from watcher.brought import Brought
from watcher.dispatch import Dispatcher
from watcher.intake import Intake
from watcher.label_drops import LabelDrops, Taken, are_labels
from watcher.observe import Observing
from watcher.relook import relook
from watcher.settle import MOST, Settling
from watcher.trouble import FileError, Unfinished
from watcher.walk import patterns, said_by_folders, walk
from workers.app import make_app

RESCAN_SECONDS = 60.0
POLL_SECONDS = 2.0
_RELOOK_SECONDS = 15.0
_TOGETHER = 256  # files a transaction
_WALK_SHARE = 4  # walking takes a quarter of the time at most, however large the inbox
_FULL_SECONDS = 10.0  # a store that cannot take more is left alone for so long

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True)
class _Settled:
    """A file that is to be tried now. `age`: for how many seconds it has looked like this."""

    path: str
    status: os.stat_result
    age: float
    priority: Priority
    hint: Modality | None


class Watcher:
    """One inbox, watched until `stop`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ignore = patterns(settings.ignore)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._settling = Settling(settings.quiet_seconds)
        self._has_more = False  # than may settle at a time lie in the inbox
        self._stayed: set[bytes] = set()  # taken in, and still in the inbox
        self._closed = 0  # folders of the inbox that may not be looked into
        self._engine = open_database(settings)
        self._writer = Writer(self._engine)
        self._store = Store(settings.store)
        key = PseudonymKey.load_or_create(settings.key_file)
        self._intake = Intake(self._store, self._writer, key, settings.intake)
        self._labels = LabelDrops(self._store, self._writer, key, settings.intake)
        self._dispatcher = Dispatcher(make_app(settings), self._writer, settings.schedule)
        self._observing = Observing(settings.inbox, settings.observer, self._wake.set)
        self._enterer = ThreadPoolExecutor(1, thread_name_prefix="enter")
        self._entering: Future[None] | None = None

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
        self._until_possible(self._labels.finish)
        self._dispatcher.start()
        self._observing.look()
        log.info("watching", mode="inotify" if self._observing.has_events else "polling", finished=finished)
        presence.tell(ready=True)
        try:
            self._loop()
        finally:
            self._observing.stop()
            self._dispatcher.stop()
            self.close()
            log.info("stopped")

    def close(self) -> None:
        """Lets go of store and database."""
        self._enterer.shutdown()  # after the batch that is being entered, which gives up waiting for the database when told to stop
        self._intake.close()
        self._writer.close()
        self._engine.dispose()

    def _loop(self) -> None:
        next_walk = next_relook = may_walk = next_intake = 0.0
        while not self._stop.is_set():
            at = time.monotonic()
            if self._observing.look():
                next_walk = may_walk = at
            wants_walk = self._wake.is_set() or (self._has_more and len(self._settling) < MOST // 2)
            if at >= next_walk or (wants_walk and at >= may_walk):
                self._wake.clear()
                self._walk(at)
                took = time.monotonic() - at
                rescan = RESCAN_SECONDS if self._observing.has_events else POLL_SECONDS
                next_walk, may_walk = at + max(rescan, took * _WALK_SHARE), at + took * _WALK_SHARE
            if at >= next_relook:
                next_relook = at + _RELOOK_SECONDS
                self._relook()
            if at >= next_intake and not self._take_in(time.monotonic()):
                next_intake = time.monotonic() + _FULL_SECONDS
            self._rest(next_walk, may_walk, next_relook, next_intake)

    def _rest(self, next_walk: float, may_walk: float, next_relook: float, next_intake: float) -> None:
        at = time.monotonic()
        until = min(next_walk, next_relook, max(self._settling.next_due() or next_walk, next_intake), at + POLL_SECONDS)
        if self._wake.is_set():  # an event came, but the last walk was long: not yet
            self._stop.wait(max(0.0, min(until, may_walk) - at))
        elif not self._stop.is_set():  # its waking may have been taken for an event
            self._wake.wait(max(0.0, until - at))

    def _walk(self, at: float) -> None:
        """Notes what lies in the inbox, as far as there is room: what is taken in makes room for the rest, which the next walk meets."""
        stayed: set[bytes] = set()
        closed: list[str] = []
        self._has_more = False
        try:
            for entry in walk(self._settings.inbox, self._ignore, closed):
                if entry.path in self._settling:  # looked at when it is due
                    continue
                is_urgent = said_by_folders(entry.path, self._settings.inbox)[0] is Priority.STAT
                has_room = self._settling.has_room(urgent=is_urgent)
                if not has_room and not self._stayed:
                    self._has_more = True
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue  # gone meanwhile
                if (mark := _mark(entry.path, status)) in self._stayed:
                    stayed.add(mark)
                elif has_room:
                    self._settling.see(entry.path, status, at, urgent=is_urgent)
                else:
                    self._has_more = True
        except OSError:
            return  # a share that is away; what stayed in it is remembered
        self._stayed = stayed
        if len(closed) != self._closed:
            self._closed = len(closed)
            log.warning("folders of the inbox that may not be looked into", folders=len(closed))

    def _relook(self) -> None:
        self._entered()  # bytes that are just being put in place are not to be taken for left over
        try:
            finished = self._intake.finish_rest()
            if relook(self._store, self._intake.incoming, self._writer) or finished:
                self._dispatcher.wake()
        except (LedgerError, OSError) as error:
            log.warning("not looking at truncated files again", error=type(error).__name__)

    def _take_in(self, at: float) -> bool:
        """Takes in some of what has settled, urgent files first; False if the store cannot take them now."""
        settled = [one for path in self._settling.due(at, _TOGETHER) if (one := self._look_at(path, at)) is not None]
        if not settled:
            return True
        try:
            known = self._intake.known([(one.path, one.status) for one in settled]) if self._settings.intake == "leave" else set()
        except LedgerError as error:
            return self._not_now(settled, at, error)
        for one in settled:
            if one.path in known:
                self._stay(one)
        brought, trouble = self._bring([one for one in settled if one.path not in known], at)
        self._entered()  # one batch is entered while the next is brought, no more
        if brought:
            self._entering = self._enterer.submit(self._enter, brought)
        return trouble is None or self._not_now([], at, trouble)

    def _enter(self, brought: list[Brought]) -> None:
        outcomes = self._until_possible(partial(self._intake.enter, brought)) or []
        self._dispatcher.wake()
        log.info("taken in", **{outcome.value: outcomes.count(outcome) for outcome in Outcome})

    def _entered(self) -> None:
        """Waits for the batch that is being entered."""
        if self._entering is not None:
            self._entering.result()
            self._entering = None

    def _not_now(self, settled: list[_Settled], at: float, error: Exception) -> bool:
        log.warning("not taking in", advice=str(error))
        for one in settled:
            self._settling.again(one.path, at + self._settings.quiet_seconds)
        return False

    def _look_at(self, path: str, at: float) -> _Settled | None:
        try:
            status = os.lstat(path)
        except OSError:
            self._settling.forget(path)  # gone before it settled: that was no drop; one that comes back is met by the next walk
            return None
        if not self._settling.see(path, status, at):
            return None
        priority, hint = said_by_folders(path, self._settings.inbox)
        return _Settled(path, status, self._settling.age(path, at), priority, hint)

    def _bring(self, settled: list[_Settled], at: float) -> tuple[list[Brought], LunglineError | None]:
        """Brings what is whole; what is not is due again later. What is in the way of the store, if it cannot take some."""
        brought: list[Brought] = []
        trouble: LunglineError | None = None
        for one, result in zip(settled, self._intake.hands.each(self._try, settled), strict=True):
            match result:
                case Brought():
                    brought.append(result)
                    self._stay(one) if result.drop.stay_key is not None else self._settling.forget(one.path)
                case Taken():
                    self._stay(one) if result.stays else self._settling.forget(one.path)
                case Unfinished():
                    self._settling.not_whole(one.path, at)
                case StoreError() | LedgerError():
                    trouble = result
                    self._settling.again(one.path, at + self._settings.quiet_seconds)
                case FileError() if self._settling.failed(one.path, at):
                    brought += self._give_up(one)
                case None:
                    self._settling.again(one.path, at + self._settings.quiet_seconds)
        return brought, trouble

    def _try(self, one: _Settled) -> Brought | Taken | Exception | None:
        """In one of several threads: tells what it raises, so that each file has its own."""
        try:
            if are_labels(one.path, one.status, self._settings.inbox):
                return self._labels.take(one.path, one.status, one.age)
            return self._intake.bring(one.path, one.status, one.priority, one.hint, one.age)
        except (Unfinished, FileError, StoreError, LedgerError) as error:
            return error

    def _give_up(self, one: _Settled) -> list[Brought]:
        try:
            brought = self._intake.give_up(one.path, one.status, one.priority, one.hint)
        except (FileError, StoreError):
            return []  # due again
        self._stay(one)
        return [] if brought is None else [brought]

    def _stay(self, one: _Settled) -> None:
        self._stayed.add(_mark(one.path, one.status))
        self._settling.forget(one.path)

    def _until_possible(self, step: Callable[[], T]) -> T | None:
        """Repeats a step that needs database or store until they are to be had; None if the watcher stops first."""
        pause = 1.0
        while True:
            try:
                return step()
            except (LedgerError, StoreError, OSError) as error:
                advice = str(error) if isinstance(error, LunglineError) else type(error).__name__
                log.warning("waiting for database or store", advice=advice, seconds=pause)
            if self._stop.wait(pause):
                return None
            pause = min(pause * 2, 30.0)


def _mark(path: str, status: os.stat_result) -> bytes:
    """Stands for a file as it is, in a few bytes: a million may stay in the inbox."""
    told = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}"
    return blake2b(os.fsencode(told), digest_size=16).digest()


def run(settings: Settings) -> None:
    """`lungline watch`: watches until SIGTERM or Ctrl-C."""
    presence = Presence.take(settings.run, "watch")
    watcher = Watcher(settings)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: threading.Thread(target=watcher.stop, name="stopper").start())
    watcher.run(presence)
