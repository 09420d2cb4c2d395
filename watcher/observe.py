"""Notices that something changed in the inbox. Events only wake the watcher up: they are late, doubled or missing on many file systems."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from lungline import filesystems

# Not those that our own taking in raises (opened, closed unwritten, deleted, folder modified): the watcher would keep itself awake.
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileClosedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]


class _Waker(FileSystemEventHandler):
    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._wake()


class Observing:
    """Calls `wake` upon changes in the inbox, whichever folder or share lies at its path now."""

    def __init__(self, inbox: Path, wanted: Literal["auto", "inotify", "polling"], wake: Callable[[], None]) -> None:
        self._inbox = inbox
        self._wanted = wanted
        self._wake = wake
        self._observer: BaseObserver | None = None
        self._looked_at: tuple[int, int] | None = None

    @property
    def has_events(self) -> bool:
        """Whether changes are noticed; else the caller must poll."""
        return self._observer is not None

    def look(self) -> bool:
        """Begins anew if another folder lies there than before: a share went away, or came back. True if so."""
        try:
            status = os.stat(self._inbox)
        except OSError:
            there = None
        else:
            there = status.st_dev, status.st_ino
        if there == self._looked_at:
            return False
        self.stop()
        self._looked_at = there
        if there is not None:
            self._observer = _observe(self._inbox, self._wanted, self._wake)
        return True

    def stop(self) -> None:
        """Calls no more."""
        if self._observer is not None:
            self._observer.stop()
            self._observer = None


def _observe(inbox: Path, wanted: Literal["auto", "inotify", "polling"], wake: Callable[[], None]) -> BaseObserver | None:
    """Starts to call `wake` upon changes; None where the caller must poll.

    Polling is the watcher's own walk, more often: a polling observer would walk the same tree a second time and believe inode
    numbers besides (watchdog #992). `auto` polls on network and FUSE file systems, and where the kernel's watches have run out.
    """
    if wanted == "polling" or (wanted == "auto" and filesystems.is_remote(inbox)):
        return None
    observer = Observer()
    try:
        observer.schedule(_Waker(wake), str(inbox), recursive=True, event_filter=_EVENTS)
        observer.start()
    except OSError:
        if wanted == "inotify":
            raise
        return None
    return observer
