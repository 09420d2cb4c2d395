"""Decides when a file is whole: unchanged for the quiet period, nobody writing to it, with its end mark, and with no part yet unwritten."""

import fcntl
import heapq
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lungline import filesystems
from watcher.archives import has_end, is_archive
from watcher.limits import Limits

TAIL_BYTES = 4096  # a file that ends in so many zeros looks unfinished

Signature = tuple[int, int, int, int, int]


def signature(status: os.stat_result) -> Signature:
    """What changes when a file does. The change time catches writers that set the modification time back."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


_LONGEST_PAUSE_SECONDS = 60.0  # between two tries to read a file


@dataclass(slots=True)
class _Sighting:
    signature: Signature
    is_urgent: bool
    changed: float  # when it was first seen like this
    due: float  # when to look again
    failed_at: float | None = None  # when it was last tried, and could not be read
    failed_for: float = 0.0  # seconds, as far as this process was awake to try


class StabilityTracker:
    """The files that lie in the inbox and are not yet known to be whole. Times are of the monotonic clock, in seconds."""

    def __init__(self, quiet: float, limits: Limits) -> None:
        self._quiet = quiet
        self._limits = limits
        self._seen: dict[str, _Sighting] = {}
        self._urgent: list[tuple[float, str]] = []
        self._others: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._seen)

    def __contains__(self, path: str) -> bool:
        return path in self._seen

    def has_room(self, *, urgent: bool) -> bool:
        """Whether `see` may be asked of one more file."""
        return len(self._seen) < (2 * self._limits.files_max if urgent else self._limits.files_max)

    def see(self, path: str, status: os.stat_result, at: float, *, urgent: bool = False) -> bool:
        """Notes how a file looks; True if it has looked so for the quiet period, and now is the time to try it."""
        now_like = signature(status)
        known = self._seen.get(path)
        if known is None or known.signature != now_like:
            self._seen[path] = _Sighting(now_like, known.is_urgent if known else urgent, at, at)
            self.postpone(path, at + self._quiet)
            return False
        return at >= known.due

    def due(self, at: float, most: int) -> list[str]:
        """Paths whose quiet period may be over, urgent ones first, `most` at most: look at each again with `see`."""
        paths: list[str] = []
        for heap in (self._urgent, self._others):
            while heap and heap[0][0] <= at and len(paths) < most:
                when, path = heapq.heappop(heap)
                known = self._seen.get(path)
                if known is not None and known.due == when:  # not overtaken by a later change
                    paths.append(path)
        return paths

    def next_due(self) -> float | None:
        """When to call `due` next."""
        return min((heap[0][0] for heap in (self._urgent, self._others) if heap), default=None)

    def age(self, path: str, at: float) -> float:
        """For how long a file has looked as it does."""
        known = self._seen.get(path)
        return 0.0 if known is None else at - known.changed

    def note_unfinished(self, path: str, at: float) -> None:
        """A file looks unfinished: it is due again within a second."""
        self.postpone(path, at + min(1.0, self._quiet))

    def note_failure(self, path: str, at: float) -> bool:
        """A file could not be read: it is due again after a pause that grows; True if it failed for too long to be tried again.

        Time between two tries counts as far as it was meant: a watcher that was stopped meanwhile could not know better.
        """
        known = self._seen.get(path)
        if known is None:
            return False
        if known.failed_at is not None:
            known.failed_for += min(at - known.failed_at, _LONGEST_PAUSE_SECONDS)
        known.failed_at = at
        self.postpone(path, at + min(_LONGEST_PAUSE_SECONDS, max(self._quiet, known.failed_for)))
        return known.failed_for >= self._limits.unreadable

    def postpone(self, path: str, when: float) -> None:
        """Looks at a file again at `when`, though nothing about it changed."""
        known = self._seen.get(path)
        if known is not None:
            known.due = when
            heapq.heappush(self._urgent if known.is_urgent else self._others, (when, path))

    def forget(self, path: str) -> None:
        """The file is no longer in the inbox, or is settled."""
        self._seen.pop(path, None)


def patience_seconds(descriptor: int, size: int, limits: Limits) -> float:
    """How many seconds after its last change a file is still worth waiting for, since it looks unfinished; 0 if it does not."""
    writer = has_writer(descriptor)
    if is_archive(descriptor) and not has_end(descriptor, size):
        return limits.patience if writer is False else limits.patience_for_archive
    if writer or (size and (lacks_end(descriptor, size) or has_hole(descriptor, size))):
        return limits.patience
    return 0.0 if size else limits.patience_if_empty


def lacks_end(descriptor: int, size: int) -> bool:
    """Whether the end of a file is still to come, as far as its bytes tell.

    A PNG (ISO/IEC 15948, IEND) or JPEG (ITU-T T.81, EOI) has no end mark yet. Any file ends in zeros: some senders set its length first.
    """
    head = os.pread(descriptor, 8, 0)
    tail = os.pread(descriptor, TAIL_BYTES, max(0, size - TAIL_BYTES))
    if head == b"\x89PNG\r\n\x1a\n":
        return b"IEND" not in tail
    if head[:3] == b"\xff\xd8\xff":
        return b"\xff\xd9" not in tail
    return size >= TAIL_BYTES and not any(tail)


def has_hole(descriptor: int, size: int) -> bool:
    """Whether some block of a file was never written: its length was set first, or its blocks were reserved (lseek(2), SEEK_HOLE).

    False also where the file system does not tell. A file that was copied with holes for its zeros has some for good.
    """
    try:
        hole = os.lseek(descriptor, 0, os.SEEK_HOLE)
        os.lseek(descriptor, 0, os.SEEK_SET)
    except (AttributeError, OSError):
        return False
    return hole < size


def has_writer(descriptor: int, is_remote: Callable[[int], bool] | None = None) -> bool | None:
    """Whether some process on this host holds the file open for writing: then the kernel refuses a read lease (fcntl(2)).

    None where leases are not to be had: another user's file, a network file system, a system other than Linux.

    Args:
        descriptor: an open file.
        is_remote: tells of a descriptor whether its file system is a network's; by default the kernel is asked.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return None
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return None if (is_remote or _is_remote)(descriptor) else True  # NFS and SMB also refuse one that their server does not grant
    except OSError:
        return None
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        pass
    return False


_remote: dict[int, bool] = {}  # by device; few are ever met


def _is_remote(descriptor: int) -> bool:
    device = os.fstat(descriptor).st_dev
    if device not in _remote:
        _remote[device] = filesystems.is_remote(Path(f"/proc/self/fd/{descriptor}").resolve())
    return _remote[device]
