"""Looks again at truncated files: a sender that paused for long may have gone on writing into the bytes that were taken in."""

import hashlib
import os
import shutil
from pathlib import Path

import structlog

from db import truncated
from db.truncated import TruncatedScan
from db.writer import Writer
from lungline.errors import LedgerError
from lungline.layout import Store
from watcher.incoming import RELOOK, Incoming

_MOST = 100

log = structlog.get_logger()


def relook(store: Store, incoming: Incoming, writer: Writer) -> int:
    """Takes in anew what changed among the truncated files that are due; returns how many did. Not for two threads of a watcher.

    Raises:
        LedgerError: the database is not to be had. Call it again.
        OSError: the store is not to be had. Call it again.
    """
    if not store.is_there():
        return 0  # what it holds is not lost
    _tidy(store, incoming, writer)
    changed = 0
    for found in writer.do(truncated.find_due, _MOST):
        try:
            changed += _look(store, incoming, writer, found)
        except LedgerError:
            raise
        except Exception as error:  # the disk is full, or fails, or worse: the others are not to wait for it
            log.warning("a truncated file cannot be checked again now", error=type(error).__name__)
            writer.do(truncated.put_off, found)
    return changed


def _look(store: Store, incoming: Incoming, writer: Writer, found: TruncatedScan) -> bool:
    """True if it changed, and waits now."""
    path = store.find(found.sha256, found.file_id)
    digest = _hash(path) if path is not None else None
    if path is None or digest in (None, found.sha256):
        writer.do(truncated.note_unchanged, found)
        return False
    note = incoming.note(found.sha256, digest)
    note.touch()
    _share(path.parent, store.folder(digest))
    changed = writer.do(truncated.replace_bytes, found, digest, path.stat().st_size)
    _clear(store, writer, note)
    return changed


def replace_held(store: Store, incoming: Incoming, writer: Writer, note: Path, old: str, new: str) -> None:
    """A file that was copied while it was written to was taken in anew since: the half that was copied is no scan of its own any longer.

    Unless it was read: then its verdict, which was for review, stands.

    Args:
        note: of the copy (watcher/held.py); removed when there is nothing left to do.
        old: hash of the copy.
        new: hash of what the file has become.

    Raises:
        LedgerError: the database is not to be had. Call it again.
        OSError: the store is not to be had. Call it again.
    """
    if not store.is_there():
        return
    size = writer.do(truncated.size_of, new)
    if size is None or writer.do(truncated.is_still_read, old):
        return  # not entered yet; or not read yet, and marked by the note when it is
    found = writer.do(truncated.find_by_bytes, old)
    if found is not None:
        ours = incoming.note(old, new)
        ours.touch()
        writer.do(truncated.replace_bytes, found, new, size)
        _clear(store, writer, ours)
    note.unlink(missing_ok=True)


def _tidy(store: Store, incoming: Incoming, writer: Writer) -> None:
    """Clears up after what was broken off. Not what another watcher is just taking in anew: the ledger may learn of it at this moment."""
    for note in incoming.left(RELOOK):
        _clear(store, writer, note)


def _clear(store: Store, writer: Writer, note: Path) -> None:
    """Of bytes that were taken in anew, and those that they were before, removes which the ledger does not know."""
    both = set(note.stem.split("~")[:2])
    known = writer.do(truncated.find_known, both)
    for sha256 in both - known if known else ():
        shutil.rmtree(store.folder(sha256), ignore_errors=True)
    note.unlink(missing_ok=True)


def _hash(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _share(old: Path, new: Path) -> None:
    # Both folders hold the bytes until the ledger knows the new hash: a crash between leaves them findable by either.
    new.mkdir(parents=True, exist_ok=True)
    for entry in old.iterdir():
        if not os.path.lexists(new / entry.name):
            try:
                os.link(entry, new / entry.name)
            except OSError:
                shutil.copy2(entry, new / entry.name)
