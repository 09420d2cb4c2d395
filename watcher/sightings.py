"""What lies in the inbox: files that settle, are due to be tried, or stay there for good."""

import os
from dataclasses import dataclass
from hashlib import blake2b

import structlog

from db.tables import Priority
from lungline.findings import Modality
from lungline.inbox_names import patterns
from lungline.settings import Settings
from watcher.limits import Limits
from watcher.stability import StabilityTracker
from watcher.walk import said_by_folders, walk

log = structlog.get_logger()


@dataclass(frozen=True)
class StableFile:
    """A file that is to be tried now. `age`: for how many seconds it has looked like this."""

    path: str
    status: os.stat_result
    age: float
    priority: Priority
    hint: Modality | None


class Sightings:
    """The files of one inbox. Times are of the monotonic clock, in seconds."""

    def __init__(self, settings: Settings, limits: Limits) -> None:
        self._inbox = settings.inbox
        self._ignore = patterns(settings.ignore)
        self.stability = StabilityTracker(settings.quiet_seconds, limits)
        self._files_max = limits.files_max
        self._has_more = False  # than may settle at a time lie in the inbox
        self._stayed: set[bytes] = set()  # taken in, and still in the inbox
        self._closed = 0  # parts of the inbox cannot be read

    @property
    def wants_walk(self) -> bool:
        """Whether more lies there than was met, and there is room for it now."""
        return self._has_more and len(self.stability) < self._files_max // 2

    def walk(self, at: float) -> None:
        """Notes what lies in the inbox, as far as there is room: what is taken in makes room for the rest, which the next walk meets."""
        stayed: set[bytes] = set()
        closed: list[str] = []
        self._has_more = False
        try:
            for entry in walk(self._inbox, self._ignore, closed):
                if entry.path in self.stability:  # looked at when it is due
                    continue
                try:
                    self._meet(entry, at, stayed)
                except Exception:  # it costs this entry its place, and not those behind it
                    closed.append(entry.path)
        except OSError:
            return  # a share that is away; what stayed in it is remembered
        self._stayed = stayed
        if len(closed) != self._closed:
            self._closed = len(closed)
            log.warning("parts of the inbox cannot be read", parts=len(closed))

    def _meet(self, entry: "os.DirEntry[str]", at: float, stayed: set[bytes]) -> None:
        is_urgent = said_by_folders(entry.path, self._inbox)[0] is Priority.STAT
        has_room = self.stability.has_room(urgent=is_urgent)
        if not has_room and not self._stayed:
            self._has_more = True
            return
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return  # gone meanwhile
        if (mark := _mark(entry.path, status)) in self._stayed:
            stayed.add(mark)
        elif has_room:
            self.stability.see(entry.path, status, at, urgent=is_urgent)
        else:
            self._has_more = True

    def due(self, at: float, most: int) -> list[StableFile]:
        """Some of what has settled, urgent files first."""
        stable = []
        for path in self.stability.due(at, most):
            try:
                file = self._look_at(path, at)
            except Exception as error:
                log.error("a file of the inbox cannot be examined", error=type(error).__name__)
                self.stability.note_failure(path, at)
                continue
            if file is not None:
                stable.append(file)
        return stable

    def _look_at(self, path: str, at: float) -> StableFile | None:
        try:
            status = os.lstat(path)
        except OSError:
            self.stability.forget(path)  # gone before it settled: that was no drop; one that comes back is met by the next walk
            return None
        if not self.stability.see(path, status, at):
            return None
        priority, hint = said_by_folders(path, self._inbox)
        return StableFile(path, status, self.stability.age(path, at), priority, hint)

    def stay(self, file: StableFile) -> None:
        """A file was taken in and stays in the inbox: it is passed over until it changes."""
        self._stayed.add(_mark(file.path, file.status))
        self.stability.forget(file.path)

    def meet_anew(self) -> None:
        """What stays in the inbox is tried once more: the copy of some was given up, and the ledger knows the others."""
        self._stayed.clear()


def _mark(path: str, status: os.stat_result) -> bytes:
    """Stands for a file as it is, in a few bytes: a million may stay in the inbox."""
    sight = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}"
    return blake2b(os.fsencode(sight), digest_size=16).digest()
