"""Takes settled files in: hash, out of the inbox into `STORE/incoming`, row committed, bytes in place. Start-up finishes what a crash left.

At every line the process may die. Until the row is committed the bytes are either still in the inbox, or under `incoming` in a folder
that names the row to be; after it, whatever is left to move is found by that name again.
"""

import errno
import hashlib
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import replace
from io import FileIO
from math import inf
from pathlib import Path
from typing import Literal

import structlog
from sqlalchemy import Connection, select

from db import drops
from db.drops import Drop
from db.tables import Outcome, Priority, files
from db.writer import Writer
from lungline.errors import StoreError
from lungline.findings import Modality
from lungline.ids import new_id
from lungline.pseudonyms import PseudonymKey
from lungline.reasons import Reason
from lungline.store import FILE_BYTES_MAX, Store, sync_folder
from watcher import originals
from watcher.brought import Brought, judged_again
from watcher.hands import Hands
from watcher.incoming import Incoming
from watcher.originals import stay_key
from watcher.settle import signature, worth_waiting
from watcher.trouble import Unfinished, in_our_words

log = structlog.get_logger()

_COPY_BUFFER = 1 << 20


class Intake:
    """Brings files from the inbox into store and ledger; `bring` and `enter` may run beside each other, each in one thread."""

    def __init__(self, store: Store, writer: Writer, key: PseudonymKey, mode: Literal["move", "leave"]) -> None:
        self._store = store
        self._writer = writer
        self._key = key
        self._mode = mode
        self._unfinished: list[Path] = []
        self.incoming = Incoming(store)
        self.hands = Hands()

    def close(self) -> None:
        """Ends its threads, and tells other watchers on this store that it is gone."""
        self.hands.close()
        self.incoming.leave()

    def known(self, found: list[tuple[str, os.stat_result]]) -> set[str]:
        """Which of these very files stayed in the inbox when they were taken in, by this watcher or an earlier one: their paths."""
        paths = {stay_key(self._key, path, status): path for path, status in found}
        query = select(files.c.stay_key).where(files.c.stay_key.in_(paths))
        return {paths[str(key)] for key in self._writer.do(lambda connection: connection.scalars(query).all())}

    def bring(self, path: str, status: os.stat_result, priority: Priority, hint: Modality | None, age: float = inf) -> Brought | None:
        """Hashes a settled file and moves it out of the inbox; None if it changed meanwhile or is gone. Any number of threads may call it.

        Args:
            path: where it lies.
            status: as it was when it had settled.
            priority: as its folders say.
            hint: likewise.
            age: for how many seconds it has not changed.

        Raises:
            Unfinished: it looks as if more of it were to come, and is worth waiting for.
            FileError: it cannot be read or moved now; it is where it was.
            StoreError: the store cannot take it now; it is where it was.
        """
        try:
            return self._bring(path, status, priority, hint, age)
        except OSError as error:
            in_our_words(error, self._store)
            return None

    def give_up(self, path: str, status: os.stat_result, priority: Priority, hint: Modality | None) -> Brought | None:
        """Moves a file out of the inbox unread, as `unreadable`; None if it is gone.

        Raises:
            FileError, StoreError: as `bring`.
        """
        drop = Drop(new_id(), None, status.st_size, priority, hint)
        try:
            return self._carry(path, status, drop, Reason.UNREADABLE)
        except OSError as error:
            in_our_words(error, self._store)
            return None

    def _bring(self, path: str, status: os.stat_result, priority: Priority, hint: Modality | None, age: float) -> Brought | None:
        drop = Drop(new_id(), None, status.st_size if stat.S_ISREG(status.st_mode) else 0, priority, hint)
        if not stat.S_ISREG(status.st_mode):
            return self._carry(path, status, drop, Reason.NOT_A_REGULAR_FILE)
        if status.st_size > FILE_BYTES_MAX:
            return self._carry(path, status, drop, Reason.TOO_LARGE)
        try:
            # Opened without following a link or waiting for a pipe, should the name have changed hands since it was looked at.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except PermissionError:
            return self._carry(path, status, drop, Reason.UNREADABLE)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if signature(os.fstat(descriptor)) != signature(status):
                return None
            if age < worth_waiting(descriptor, status.st_size):
                raise Unfinished
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if self._mode == "move":
                os.fsync(descriptor)  # before it is moved: what cannot be made durable stays where it is
            if signature(os.fstat(descriptor)) != signature(status):
                return None
            return self._carry(path, status, replace(drop, sha256=digest), Reason.EMPTY if status.st_size == 0 else None, file)

    def _carry(self, path: str, status: os.stat_result, drop: Drop, reason: Reason | None, file: FileIO | None = None) -> Brought | None:
        """Moves a file, or whatever it is, into a folder of its own under `incoming`; copies it where it cannot be moved."""
        folder = self.incoming.folder(drop)
        target = folder / os.path.basename(path)
        if self._mode == "move" and (status.st_nlink == 1 or file is None):
            try:
                os.rename(path, target)
            except FileNotFoundError:
                folder.rmdir()
                return None
            except OSError:
                pass  # another file system, or no right to take it out: copied below
            else:
                if os.lstat(target).st_ino != status.st_ino:  # another file took its name at the last moment
                    os.rename(target, path)
                    folder.rmdir()
                    return None
                return Brought(drop, reason, folder)
        if file is None or reason is not None:
            folder.rmdir()  # nothing that could be copied, or is worth it
            return Brought(replace(drop, stay_key=stay_key(self._key, path, status)), reason, None)
        return self._copy(path, status, drop, file, folder)

    def _copy(self, path: str, status: os.stat_result, drop: Drop, file: FileIO, folder: Path) -> Brought | None:
        removable = self._mode == "move" and os.access(os.path.dirname(path), os.W_OK)
        try:
            originals.remember(folder, path if removable else None, status)
            file.seek(0)
            with (folder / os.path.basename(path)).open("xb") as copy:
                shutil.copyfileobj(file, copy, _COPY_BUFFER)
                copy.flush()
                os.fsync(copy.fileno())
            if signature(os.fstat(file.fileno())) == signature(status):
                # Also where it is to be unlinked: if that fails, it is not counted again.
                return Brought(replace(drop, stay_key=stay_key(self._key, path, status)), None, folder)
        except OSError:
            originals.discard(folder)
            raise
        originals.discard(folder)
        return None

    def enter(self, brought: list[Brought]) -> list[Outcome]:
        """Commits the rows of files that were brought, all at once, then puts their bytes in place.

        Raises:
            LedgerError: the database is not to be had; nothing was entered. Call it again with the same files.
            OSError: the store is not to be had; some may be in place already. Call it again with the same files.
        """
        folders = [one.folder for one in brought if one.folder is not None]
        synced = {folder for folder in self.hands.each(_synced, [self._store.incoming, *folders]) if folder is not None}
        outcomes = self._writer.do(lambda connection: _enter(connection, brought))
        left = [(one.drop, outcome, one.folder) for one, outcome in zip(brought, outcomes, strict=True) if one.folder in synced]
        self.hands.each(lambda one: self._place(*one), left)
        return outcomes

    def _place(self, drop: Drop, outcome: Outcome, folder: Path) -> None:
        if drop.stay_key is not None:
            originals.unlink(folder, drop.sha256)
        target = self._store.quarantine / drop.id if outcome is Outcome.REFUSED else self._store.folder(str(drop.sha256))
        try:
            if not target.parent.is_dir():
                target.parent.mkdir(exist_ok=True)
            os.rename(folder, target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            self._join(outcome, folder, target)
        else:
            sync_folder(target.parent)

    def _join(self, outcome: Outcome, folder: Path, target: Path) -> None:
        """Adds what `folder` holds to `target`, which holds something already."""
        for entry in folder.iterdir():
            first = next(target.iterdir(), None) if outcome is Outcome.DUPLICATE else None
            if first is None:
                os.rename(entry, target / entry.name)
                continue
            if not os.path.lexists(target / entry.name):
                with suppress(OSError):  # no links on this file system: the first name must do
                    os.link(first, target / entry.name)  # a second name for bytes that are there
            entry.unlink()
        sync_folder(target)
        _remove_empty(folder)

    # --- what an earlier watcher left ---

    def finish(self) -> int:
        """Enters or places what a watcher that is gone left under `incoming`; returns how many files. Call it before the first `bring`.

        Raises:
            LedgerError: the database is not to be had. Call it again.
            StoreError: the store is not to be had. Call it again.
        """
        if not self._store.is_there() and self._writer.do(lambda connection: connection.scalar(select(files.c.id).limit(1))) is not None:
            # Made anew, it would lie in an empty mount point, and what came into it would vanish below the disk that is mounted later.
            raise StoreError("LUNGLINE_STORE is not there: mount its disk again; or make `incoming` in it, if it is to begin anew.")
        self.incoming.take()
        left = self.incoming.left()
        self._unfinished = left
        self.finish_rest()
        for note in self.incoming.left(originals.NOTE):
            if not note.with_suffix("").exists():
                note.unlink(missing_ok=True)
        return len(left)

    def finish_rest(self) -> int:
        """Tries again what `finish` could not do, since the disk was full or away; returns how many files it could now.

        Raises:
            LedgerError: the database is not to be had. Call it again.
        """
        if not self._store.is_there():
            return 0
        before = len(self._unfinished)
        self._unfinished = [folder for folder in self._unfinished if not self._is_finished(folder)]
        return before - len(self._unfinished)

    def _is_finished(self, folder: Path) -> bool:
        """Whether there is nothing left to do for a folder, now that it was tried; or nothing that can be done."""
        try:
            self._finish(folder)
        except (OSError, ValueError) as error:
            if not folder.exists() and self._store.is_there():
                return True  # another watcher did it
            log.warning("a file between inbox and ledger cannot be finished now", error=type(error).__name__)
            return isinstance(error, ValueError)  # a folder that is none of ours: `reconcile` tells
        return True

    def _finish(self, folder: Path) -> None:
        drop = Incoming.drop(folder)
        entry = next(folder.iterdir(), None)
        row = self._writer.do(lambda connection: connection.execute(select(files).where(files.c.id == drop.id)).one_or_none())
        if row is None and originals.has_note(folder):
            originals.discard(folder)  # its original is still in the inbox
        elif entry is None:
            _remove_empty(folder)
        elif row is not None:
            self._place(replace(drop, sha256=row.sha256, stay_key=row.stay_key), Outcome(row.outcome), folder)
        else:
            self.enter([judged_again(drop, entry)])


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # never with what may have come into it meanwhile
        folder.rmdir()


def _synced(folder: Path) -> Path | None:
    """Makes a folder's entries durable; None if a call before put it in place."""
    try:
        sync_folder(folder)
    except FileNotFoundError:
        return None
    return folder


def _enter(connection: Connection, brought: list[Brought]) -> list[Outcome]:
    for one in brought:
        if one.reason is not None:
            drops.refuse(connection, one.drop, one.reason)
    accepted = iter(drops.accept_all(connection, [one.drop for one in brought if one.reason is None]))
    return [next(accepted) if one.reason is None else Outcome.REFUSED for one in brought]
