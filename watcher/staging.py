"""A file on its way from inbox to ledger, and how one is judged that a watcher before this one left on it."""

import errno
import hashlib
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from db.drops import Drop
from lungline.reasons import Reason
from watcher.archives import bytes_max, has_end, is_archive


@dataclass(frozen=True)
class StagedFile:
    """A file on its way in. `folder` under `incoming` holds its bytes under their name; None if it could not be moved at all."""

    drop: Drop
    reason: Reason | None
    folder: Path | None
    is_archive: bool = False


def inspect_leftover(drop: Drop, entry: Path) -> StagedFile:
    """What `entry`, alone in its folder under `incoming`, is.

    Raises:
        OSError: it cannot be read now.
    """
    status = entry.lstat()
    if not stat.S_ISREG(status.st_mode):
        return StagedFile(drop, Reason.NOT_A_REGULAR_FILE, entry.parent)
    try:
        with entry.open("rb") as file:
            if status.st_size > bytes_max(file.fileno()):
                return StagedFile(replace(drop, bytes=status.st_size), Reason.TOO_LARGE, entry.parent)
            unpacks = is_archive(file.fileno())
            is_cut = unpacks and not has_end(file.fileno(), status.st_size)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
    except OSError as error:
        if not isinstance(error, PermissionError) and error.errno != errno.EIO:
            raise
        return StagedFile(replace(drop, bytes=status.st_size), Reason.UNREADABLE, entry.parent)
    reason = Reason.EMPTY if status.st_size == 0 else Reason.ARCHIVE_DAMAGED if is_cut else None
    return StagedFile(replace(drop, sha256=digest, bytes=status.st_size), reason, entry.parent, unpacks)
