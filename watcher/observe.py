"""Notices that something changed in the inbox. Events only wake the watcher up: they are late, doubled or missing on many file systems."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from watchdog.events import (
    DirCreatedEvent,
    DirModifiedEvent,
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

# Not those that our own reading raises (opened, closed unwritten): the watcher would keep itself awake.
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileClosedEvent,
    DirCreatedEvent,
    DirModifiedEvent,
    DirMovedEvent,
]


class _Waker(FileSystemEventHandler):
    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._wake()


def observe(inbox: Path, wanted: Literal["auto", "inotify", "polling"], wake: Callable[[], None]) -> BaseObserver | None:
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
