"""The watcher: walks the inbox, lets files settle, takes them in, and has their doorbells rung."""

import signal
import threading
import time
from functools import partial

import structlog

from db.migrate import open_database
from db.writer import Writer
from jobs.app import make_app
from jobs.dispatcher import Dispatcher
from lungline.layout import Store
from lungline.presence import Presence
from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings
from watcher.entering import Entering
from watcher.faults import Guard, until_possible
from watcher.intake import Intake
from watcher.label_drops import LabelDrops
from watcher.leftovers import Leftovers
from watcher.limits import USUAL, Limits
from watcher.observe import Observing
from watcher.relook import relook, replace_held
from watcher.sightings import Sightings
from watcher.taking import Taking

_WALK_SHARE = 4  # walking takes a quarter of the time at most, however large the inbox

log = structlog.get_logger()


class Watcher:
    """One inbox, watched until `stop`."""

    def __init__(self, settings: Settings, limits: Limits) -> None:
        self._settings = settings
        self._limits = limits
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._engine = open_database(settings)
        self._writer = Writer(self._engine)
        self._store = Store(settings.store)
        key = PseudonymKey.load_or_create(settings.key_file)
        self._sightings = Sightings(settings, limits)
        self._intake = Intake(self._store, self._writer, key, settings.intake, limits)
        entering = Entering(self._store, self._writer, self._intake.disk_threads)
        self._leftovers = Leftovers(self._store, self._writer, self._intake.incoming, entering)
        self._labels = LabelDrops(self._store, self._writer, key, settings.intake, limits)
        self._dispatcher = Dispatcher(make_app(settings), self._writer, settings.schedule)
        self._taking = Taking(settings, self._sightings, self._intake, entering, self._labels, self._dispatcher.wake, self._stop)
        self._observing = Observing(settings.inbox, settings.observer, self._wake.set)
        self._guard = Guard()
        self._next_walk = self._may_walk = self._next_tend = self._next_intake = 0.0

    def stop(self) -> None:
        """Ends `run` after the step under way. Not for a signal handler: it waits for locks that the interrupted code may hold."""
        self._stop.set()
        self._wake.set()

    def run(self, presence: Presence) -> None:
        """Watches until `stop`. What lies in the inbox already counts too."""
        # A sender that opens a file while `has_writer` asks about it makes the kernel send this; it would end the process.
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        self._settings.inbox.mkdir(parents=True, exist_ok=True)
        finished = until_possible(self._leftovers.begin, self._stop)
        self._guard.run("labels", partial(until_possible, self._labels.finish, self._stop), None)
        self._dispatcher.start()
        self._guard.run("observe", self._observing.look, False)
        log.info("watching", mode="inotify" if self._observing.has_events else "polling", finished=finished)
        presence.tell(ready=True)
        try:
            while not self._stop.is_set():
                self._turn()
        finally:
            self._observing.stop()
            self._dispatcher.stop()
            self.close()
            log.info("stopped")

    def close(self) -> None:
        """Lets go of store and database."""
        self._taking.close()
        self._intake.close()
        self._writer.close()
        self._engine.dispose()

    def _turn(self) -> None:
        """Does what is due, and rests until more is. A step that fails does not keep the others from their turn."""
        at = time.monotonic()
        if self._guard.run("observe", self._observing.look, False):
            self._next_walk = self._may_walk = at
        wants_walk = self._wake.is_set() or self._sightings.wants_walk
        if at >= self._next_walk or (wants_walk and at >= self._may_walk):
            self._wake.clear()
            self._guard.run("walk", partial(self._sightings.walk, at), None)
            took = time.monotonic() - at
            rescan = self._limits.rescan if self._observing.has_events else self._limits.poll
            self._next_walk, self._may_walk = at + max(rescan, took * _WALK_SHARE), at + took * _WALK_SHARE
        if at >= self._next_tend:
            self._next_tend = at + self._limits.tend
            self._tend()
        if at >= self._next_intake and not self._guard.run("take in", partial(self._taking.take_in, time.monotonic()), False):
            self._next_intake = time.monotonic() + self._limits.full
        self._rest()

    def _tend(self) -> None:
        """Finishes what was left over, looks again at what may have changed, and lets go of what was held."""
        self._taking.wait()  # bytes that are just being put in place are not to be taken for left over
        finished = self._guard.run("leftovers", self._leftovers.finish, 0)
        if finished:
            self._sightings.meet_anew()
        changed = self._guard.run("relook", partial(relook, self._store, self._intake.incoming, self._writer), 0)
        if finished or changed:
            self._dispatcher.wake()
        self._guard.run("held", self._tend_held, None)

    def _tend_held(self) -> None:
        for note, old, new in self._intake.held.tend():
            replace_held(self._store, self._intake.incoming, self._writer, note, old, new)

    def _rest(self) -> None:
        at = time.monotonic()
        due = max(self._sightings.stability.next_due() or self._next_walk, self._next_intake)
        until = min(self._next_walk, self._next_tend, due, at + self._limits.poll)
        if self._wake.is_set():  # an event came, but the last walk was long: not yet
            self._stop.wait(max(0.0, min(until, self._may_walk) - at))
        elif not self._stop.is_set():  # its waking may have been taken for an event
            self._wake.wait(max(0.0, until - at))


def run(settings: Settings, limits: Limits = USUAL) -> None:
    """`lungline watch`: watches until SIGTERM or Ctrl-C."""
    presence = Presence.take(settings.layout.run, "watch")
    watcher = Watcher(settings, limits)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: threading.Thread(target=watcher.stop, name="stopper").start())
    watcher.run(presence)
