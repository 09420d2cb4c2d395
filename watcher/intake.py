"""Takes settled files in: hash, out of the inbox into `STORE/incoming`, row committed, bytes in place. Start-up finishes what a crash left.

At every line the process may die. Until the row is committed the bytes are either still in the inbox, or under `incoming` in a folder
that names the row to be; after it, whatever is left to move is found by that name again.
"""

import errno
import hashlib
import json
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Literal

import structlog
from sqlalchemy import Connection, select

from db import ledger
from db.ledger import Drop
from db.tables import Outcome, Priority, files
from db.writer import Writer
from lungline.errors import StoreError
from lungline.findings import Modality
from lungline.ids import new_id
from lungline.pseudonyms import PseudonymKey
from lungline.reasons import Reason
from lungline.store import Store, sync_folder
from watcher.settle import Signature, signature

log = structlog.get_logger()

_COPY_BUFFER = 1 << 20
_SOURCE = ".source"  # beside a copy in `incoming`: where its original lies, until that is unlinked


@dataclass(frozen=True)
class Brought:
    """A file on its way in. `folder` under `incoming` holds its bytes under their name; None if it could not be moved at all."""

    drop: Drop
    reason: Reason | None
    folder: Path | None


class Intake:
    """Brings files from the inbox into store and ledger. One thread calls it."""

    def __init__(self, store: Store, writer: Writer, key: PseudonymKey, mode: Literal["move", "leave"]) -> None:
        self._store = store
        self._writer = writer
        self._key = key
        self._mode = mode

    def is_known(self, path: str, status: os.stat_result) -> bool:
        """Whether this very file stayed in the inbox when it was taken in, by this watcher or an earlier one."""
        query = select(files.c.id).where(files.c.stay_key == self._stay_key(path, status))
        return self._writer.do(lambda connection: connection.scalar(query)) is not None

    def bring(self, path: str, status: os.stat_result, priority: Priority, hint: Modality | None) -> Brought | None:
        """Hashes a settled file and moves it out of the inbox; None if it changed meanwhile or is gone.

        Raises:
            StoreError: the store cannot take it now; the file is where it was.
        """
        try:
            return self._bring(path, status, priority, hint)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise StoreError("LUNGLINE_STORE cannot take more files: make room on its disk.") from None
            return None  # the share went away under our hands: seen again when it is back

    def _bring(self, path: str, status: os.stat_result, priority: Priority, hint: Modality | None) -> Brought | None:
        drop = Drop(new_id(), None, status.st_size if stat.S_ISREG(status.st_mode) else 0, priority, hint)
        if not stat.S_ISREG(status.st_mode):
            return self._carry(path, status, drop, Reason.NOT_A_REGULAR_FILE)
        try:
            # Opened without following a link or waiting for a pipe, should the name have changed hands since it was looked at.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except PermissionError:
            return self._carry(path, status, drop, Reason.UNREADABLE)
        with os.fdopen(descriptor, "rb") as file:
            if signature(os.fstat(file.fileno())) != signature(status):
                return None
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if self._mode == "move":
                os.fsync(file.fileno())  # before it is moved: what cannot be made durable stays where it is
            if signature(os.fstat(file.fileno())) != signature(status):
                return None
            return self._carry(path, status, replace(drop, sha256=digest), Reason.EMPTY if status.st_size == 0 else None, file)

    def _carry(
        self, path: str, status: os.stat_result, drop: Drop, reason: Reason | None, file: BufferedReader | None = None
    ) -> Brought | None:
        """Moves a file, or whatever it is, into a folder of its own under `incoming`; copies it where it cannot be moved."""
        folder = self._store.incoming / f"{drop.id}~{drop.priority}~{drop.hint or 'any'}"
        folder.mkdir(parents=True)
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
            return Brought(replace(drop, stay_key=self._stay_key(path, status)), reason, None)
        return self._copy(path, status, drop, file, folder)

    def _copy(self, path: str, status: os.stat_result, drop: Drop, file: BufferedReader, folder: Path) -> Brought | None:
        source = folder.with_suffix(_SOURCE)
        removable = self._mode == "move" and os.access(os.path.dirname(path), os.W_OK)
        try:
            with source.open("w") as note:
                json.dump([path if removable else None, list(signature(status))], note)
            file.seek(0)
            with (folder / os.path.basename(path)).open("xb") as copy:
                shutil.copyfileobj(file, copy, _COPY_BUFFER)
                copy.flush()
                os.fsync(copy.fileno())
            if signature(os.fstat(file.fileno())) == signature(status):
                # Also where it is to be unlinked: if that fails, it is not counted again.
                return Brought(replace(drop, stay_key=self._stay_key(path, status)), None, folder)
        except OSError:
            self._discard(folder)
            raise
        self._discard(folder)
        return None

    def enter(self, brought: list[Brought]) -> list[Outcome]:
        """Commits the rows of files that were brought, all at once, then puts their bytes in place.

        Raises:
            LedgerError: the database is not to be had; nothing was entered. Call it again with the same files.
            OSError: the store is not to be had; some may be in place already. Call it again with the same files.
        """
        sync_folder(self._store.incoming)
        for one in brought:
            if one.folder is not None and one.folder.is_dir():
                sync_folder(one.folder)

        def rows(connection: Connection) -> list[Outcome]:
            return [_enter(connection, one) for one in brought]

        outcomes = self._writer.do(rows)
        for one, outcome in zip(brought, outcomes, strict=True):
            if one.folder is not None and one.folder.is_dir():  # else a call before this one put it in place
                self._place(one.drop, outcome, one.folder)
        return outcomes

    def _place(self, drop: Drop, outcome: Outcome, folder: Path) -> None:
        self._unlink_source(folder, drop.sha256)
        target = self._store.quarantine / drop.id if outcome is Outcome.REFUSED else self._store.folder(str(drop.sha256))
        target.mkdir(parents=True, exist_ok=True)
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

    def finish(self) -> int:
        """Enters or places what an earlier watcher left under `incoming`; returns how many files. Call it before the first `bring`."""
        self._store.incoming.mkdir(parents=True, exist_ok=True)
        left = [folder for folder in sorted(self._store.incoming.iterdir()) if folder.is_dir()]
        for folder in left:
            try:
                self._finish(folder)
            except (OSError, ValueError) as error:  # a disk that cannot read it, or a folder that is none of ours: `reconcile` tells
                log.warning("a file between inbox and ledger cannot be finished", error=type(error).__name__)
        for note in self._store.incoming.glob(f"*{_SOURCE}"):
            if not note.with_suffix("").exists():
                note.unlink(missing_ok=True)
        return len(left)

    def _finish(self, folder: Path) -> None:
        drop_id, priority, hint = folder.name.split("~")
        entry = next(folder.iterdir(), None)
        row = self._writer.do(lambda connection: connection.execute(select(files).where(files.c.id == drop_id)).one_or_none())
        if row is None and folder.with_suffix(_SOURCE).exists():
            self._discard(folder)  # its original is still in the inbox
        elif entry is None:
            _remove_empty(folder)
        elif row is not None:
            drop = Drop(drop_id, row.sha256, row.bytes, Priority(row.priority), None, row.stay_key)
            self._place(drop, Outcome(row.outcome), folder)
        else:
            modality = None if hint == "any" else Modality(hint)
            self.enter([self._judge_again(Drop(drop_id, None, 0, Priority(priority), modality), entry)])

    def _judge_again(self, drop: Drop, entry: Path) -> Brought:
        status = entry.lstat()
        if not stat.S_ISREG(status.st_mode):
            return Brought(drop, Reason.NOT_A_REGULAR_FILE, entry.parent)
        try:
            with entry.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
        except PermissionError:
            return Brought(drop, Reason.UNREADABLE, entry.parent)
        reason = Reason.EMPTY if status.st_size == 0 else None
        return Brought(replace(drop, sha256=digest, bytes=status.st_size), reason, entry.parent)

    def _unlink_source(self, folder: Path, sha256: str | None) -> None:
        note = folder.with_suffix(_SOURCE)
        try:
            path, like = json.loads(note.read_text())
            if path is not None and _is_still(path, like, sha256):
                os.unlink(path)
        except (OSError, ValueError):
            pass  # it was moved, not copied; the original is gone already, or may not be removed; or a power cut left half a note
        note.unlink(missing_ok=True)

    def _discard(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_suffix(_SOURCE).unlink(missing_ok=True)

    def _stay_key(self, path: str, status: os.stat_result) -> str:
        return stay_key(self._key, path, signature(status))


def stay_key(key: PseudonymKey, path: str, like: Signature) -> str:
    """Under what a file that stays in the inbox is remembered: neither its path nor its name."""
    return key.pseudonym("stay", json.dumps([path, like]))


def _is_still(path: str, like: list[int], sha256: str | None) -> bool:
    """Whether an original is what was copied. The change time alone says little: it changes when another name of it is unlinked."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        now = list(signature(os.fstat(file.fileno())))
        return now == like or (now[:4] == like[:4] and hashlib.file_digest(file, "sha256").hexdigest() == sha256)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # never with what may have come into it meanwhile
        folder.rmdir()


def _enter(connection: Connection, one: Brought) -> Outcome:
    if one.reason is not None:
        ledger.refuse(connection, one.drop, one.reason)
        return Outcome.REFUSED
    return ledger.accept(connection, one.drop)
