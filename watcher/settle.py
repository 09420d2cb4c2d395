"""Decides when a file is whole: unchanged for the quiet period, nobody writing to it, and with its end mark where its kind has one."""

import fcntl
import heapq
import os
from dataclasses import dataclass

PATIENCE_SECONDS = 30.0  # after the last change: for an end mark to come, or a writer to let go
EMPTY_PATIENCE_SECONDS = 5.0  # some clients create a file, close it, and fill it later

Signature = tuple[int, int, int, int, int]


def signature(status: os.stat_result) -> Signature:
    """What changes when a file does. The change time catches writers that set the modification time back."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@dataclass
class _Sighting:
    signature: Signature
    changed: float  # when it was first seen like this
    due: float  # when to look again


class Settling:
    """The files that lie in the inbox and are not yet known to be whole. Times are of the monotonic clock, in seconds."""

    def __init__(self, quiet: float) -> None:
        self._quiet = quiet
        self._seen: dict[str, _Sighting] = {}
        self._due: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._seen)

    def see(self, path: str, status: os.stat_result, at: float) -> bool:
        """Notes how a file looks; True if it has looked so for the quiet period, and now is the time to try it."""
        now_like = signature(status)
        known = self._seen.get(path)
        if known is None or known.signature != now_like:
            self._seen[path] = _Sighting(now_like, at, at + self._quiet)
            heapq.heappush(self._due, (at + self._quiet, path))
            return False
        return at >= known.due

    def due(self, at: float) -> list[str]:
        """Paths whose quiet period may be over: look at each again with `see`."""
        paths = []
        while self._due and self._due[0][0] <= at:
            when, path = heapq.heappop(self._due)
            known = self._seen.get(path)
            if known is not None and known.due == when:  # not overtaken by a later change
                paths.append(path)
        return paths

    def next_due(self) -> float | None:
        """When to call `due` next."""
        return self._due[0][0] if self._due else None

    def patience(self, path: str, at: float, seconds: float) -> bool:
        """Whether a file that looks unfinished is still worth waiting for; if so it is due again within a second."""
        known = self._seen.get(path)
        if known is None or at - known.changed >= max(seconds, self._quiet):
            return False
        self.again(path, at + min(1.0, self._quiet))
        return True

    def again(self, path: str, when: float) -> None:
        """Looks at a file again at `when`, though nothing about it changed."""
        known = self._seen.get(path)
        if known is not None:
            known.due = when
            heapq.heappush(self._due, (when, path))

    def forget(self, path: str) -> None:
        """The file is no longer in the inbox, or is settled."""
        self._seen.pop(path, None)

    def keep_only(self, paths: set[str]) -> None:
        """Forgets what a walk did not meet: a name gone before it settled was no drop."""
        for path in self._seen.keys() - paths:
            del self._seen[path]


def lacks_end(descriptor: int, size: int) -> bool:
    """Whether a PNG (ISO/IEC 15948, IEND) or JPEG (ITU-T T.81, EOI) has no end mark yet. Other kinds have none to tell by."""
    head = os.pread(descriptor, 8, 0)
    tail = os.pread(descriptor, 4096, max(0, size - 4096))
    if head == b"\x89PNG\r\n\x1a\n":
        return b"IEND" not in tail
    if head[:3] == b"\xff\xd8\xff":
        return b"\xff\xd9" not in tail
    return False


def has_writer(descriptor: int) -> bool:
    """Whether some process on this host holds the file open for writing: then the kernel refuses a read lease (fcntl(2)).

    False also where leases are not to be had: another user's file, a network file system, a system other than Linux.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        pass
    return False
