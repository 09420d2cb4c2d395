"""Takes settled files out of the inbox: hash, then into a folder of their own under `STORE/incoming`, moved or copied.

At every line the process may die, and the store may go away. Until the row is committed (watcher/entering.py) the bytes are either still in
the inbox, or under `incoming` in a folder that names the row to be; after it, whatever is left to move is found by that name again.
"""

import hashlib
import os
import shutil
import stat
from dataclasses import replace
from io import FileIO
from math import inf
from pathlib import Path
from typing import Literal

from sqlalchemy import select

from db.drops import Drop
from db.tables import Priority, files
from db.writer import Writer
from lungline.findings import Modality
from lungline.ids import new_id
from lungline.layout import ARCHIVE_BYTES_MAX, Store
from lungline.pseudonyms import PseudonymKey
from lungline.reasons import Reason
from watcher import originals
from watcher.archives import bytes_max, has_end, is_archive
from watcher.disk_threads import DiskThreads
from watcher.file_errors import Unfinished, raise_reworded
from watcher.held import Held
from watcher.incoming import Incoming
from watcher.limits import Limits
from watcher.originals import stay_key
from watcher.stability import has_writer, patience_seconds, signature
from watcher.staging import StagedFile

_COPY_BUFFER = 1 << 20


class Intake:
    """Brings files from the inbox to `incoming`, by any number of threads."""

    def __init__(self, store: Store, writer: Writer, key: PseudonymKey, mode: Literal["move", "leave"], limits: Limits) -> None:
        self._store = store
        self._writer = writer
        self._key = key
        self._mode = mode
        self._limits = limits
        self.incoming = Incoming(store)
        self.held = Held(store, writer, self.incoming, limits.unsure)
        self.disk_threads = DiskThreads()

    def close(self) -> None:
        """Ends its threads, and tells other watchers on this store that it is gone."""
        self.disk_threads.close()
        self.incoming.leave()

    def known(self, found: list[tuple[str, os.stat_result]]) -> set[str]:
        """Which of these very files stayed in the inbox when they were taken in, by this watcher or an earlier one: their paths."""
        paths = {stay_key(self._key, path, status): path for path, status in found}
        query = select(files.c.stay_key).where(files.c.stay_key.in_(paths))
        return {paths[str(key)] for key in self._writer.do(lambda connection: connection.scalars(query).all())}

    def stage(self, path: str, status: os.stat_result, priority: Priority, hint: Modality | None, age: float = inf) -> StagedFile | None:
        """Hashes a settled file and moves it out of the inbox; None if it changed meanwhile or is gone.

        One that another process has open for writing, or may have, is copied: what that process writes must not change the store.

        Args:
            path: where it lies.
            status: as it was when it had settled.
            priority: as its folders say.
            hint: likewise.
            age: for how many seconds it has not changed.

        Raises:
            Unfinished: it looks as if more of it were to come, and is worth waiting for.
            FileError: it cannot be read or moved now; it is where it was.
            StoreError: the store cannot take it now; it is where it was, or under `incoming`.
        """
        try:
            staged = self._stage(path, status, priority, hint, age)
        except OSError as error:
            raise_reworded(error, self._store)
            return None
        if staged is not None and staged.drop.sha256 is not None:
            self.held.taken_anew(path, staged.drop.sha256)
        return staged

    def give_up(self, path: str, status: os.stat_result, priority: Priority, hint: Modality | None, reason: Reason) -> StagedFile | None:
        """Moves a file out of the inbox unread; None if it is gone.

        Raises:
            FileError, StoreError: as `stage`.
        """
        drop = Drop(new_id(), None, status.st_size, priority, hint)
        try:
            return self._carry(path, status, drop, reason)
        except OSError as error:
            raise_reworded(error, self._store)
            return None

    def _stage(self, path: str, status: os.stat_result, priority: Priority, hint: Modality | None, age: float) -> StagedFile | None:
        drop = Drop(new_id(), None, status.st_size if stat.S_ISREG(status.st_mode) else 0, priority, hint)
        if not stat.S_ISREG(status.st_mode):
            return self._carry(path, status, drop, Reason.NOT_A_REGULAR_FILE)
        try:
            # Opened without following a link or waiting for a pipe, should the name have changed hands since it was looked at.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except PermissionError:
            return self._carry(path, status, drop, Reason.TOO_LARGE if status.st_size > ARCHIVE_BYTES_MAX else Reason.UNREADABLE)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if signature(os.fstat(descriptor)) != signature(status):
                return None
            if status.st_size > bytes_max(descriptor):  # refused unread
                if age < self._limits.patience and has_writer(descriptor):
                    raise Unfinished
                return self._carry(path, status, drop, Reason.TOO_LARGE, file)
            if age < patience_seconds(descriptor, status.st_size, self._limits):
                raise Unfinished
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if self._mode == "move":
                os.fsync(descriptor)  # before it is moved: what cannot be made durable stays where it is
            if signature(os.fstat(descriptor)) != signature(status):
                return None
            reason = Reason.EMPTY if status.st_size == 0 else None
            unpacks = is_archive(descriptor)
            if unpacks and not has_end(descriptor, status.st_size):
                reason = Reason.ARCHIVE_DAMAGED
            staged = self._carry(path, status, replace(drop, sha256=digest), reason, file)
            return staged and replace(staged, is_archive=unpacks)

    def _carry(self, path: str, status: os.stat_result, drop: Drop, reason: Reason | None, file: FileIO | None = None) -> StagedFile | None:
        """Moves a file, or whatever it is, into a folder of its own under `incoming`; copies it where it cannot or may not be moved."""
        folder = self.incoming.folder(drop)
        target = folder / os.path.basename(path)
        if self._mode == "move" and (file is None or (status.st_nlink == 1 and _may_move(file, reason))):
            try:
                os.rename(path, target)
            except FileNotFoundError:
                folder.rmdir()
                return None
            except OSError:
                pass  # another file system, or no right to take it out: copied below
            else:
                # What fails from here on leaves the file under `incoming`: it is looked at there.
                if os.lstat(target).st_ino == status.st_ino and not (file is not None and has_writer(file.fileno())):
                    # Of what was refused before, while it was open, and could not be moved then: it is not counted again.
                    stay = stay_key(self._key, path, status) if reason is not None and file is not None else None
                    return StagedFile(replace(drop, stay_key=stay), reason, folder)
                _put_back(target, path)  # another file took its name at the last moment, or another process opened it
                return None
        if file is None or reason is not None:
            folder.rmdir()  # nothing that could be copied, or is worth it
            return StagedFile(replace(drop, stay_key=stay_key(self._key, path, status)), reason, None)
        return self._copy(path, status, drop, file, folder)

    def _copy(self, path: str, status: os.stat_result, drop: Drop, file: FileIO, folder: Path) -> StagedFile | None:
        removable = self._mode == "move" and os.access(os.path.dirname(path), os.W_OK)
        writer = has_writer(file.fileno())
        stays = bool(writer) or (writer is None and removable)  # for now
        try:
            originals.remember(folder, path if removable and not stays else None, status)
            file.seek(0)
            with (folder / os.path.basename(path)).open("xb") as copy:
                shutil.copyfileobj(file, copy, _COPY_BUFFER)
                copy.flush()
                os.fsync(copy.fileno())
            if signature(os.fstat(file.fileno())) == signature(status):
                if stays:
                    self.held.note(drop, path, status, is_open=bool(writer), removable=removable)
                # Also where it is to be unlinked: if that fails, it is not counted again.
                return StagedFile(replace(drop, stay_key=stay_key(self._key, path, status)), None, folder)
        except OSError:
            originals.discard(folder)
            raise
        originals.discard(folder)
        return None


def _may_move(file: FileIO, reason: Reason | None) -> bool:
    """Whether no other process can go on writing to it; of what is refused, which nobody reads, as far as the system tells."""
    writer = has_writer(file.fileno())
    return writer is False or (writer is None and reason is not None)


def _put_back(target: Path, path: str) -> None:
    """Back into the inbox; not over a file that came there meanwhile: then it stays under `incoming`, and is taken in from there."""
    os.link(target, path, follow_symlinks=False)
    os.unlink(target)
    target.parent.rmdir()
