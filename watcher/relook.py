"""Looks again at truncated files: a sender that paused for long may have gone on writing into the bytes that were taken in."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Row, delete, select, update

from db import scans as scan_states
from db.clock import now
from db.scans import State
from db.tables import Outcome, files, quarantine, scans
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
    due = select(quarantine).where(quarantine.c.next_look_at <= now(), quarantine.c.released_at.is_(None))
    oldest = due.order_by(quarantine.c.next_look_at, quarantine.c.id).limit(_MOST)
    changed = 0
    for row in writer.do(lambda connection: connection.execute(oldest).all()):
        try:
            changed += _look(store, incoming, writer, row)
        except LedgerError:
            raise
        except Exception as error:  # the disk is full, or fails, or worse: the others are not to wait for it
            log.warning("a truncated file cannot be looked at again now", error=type(error).__name__)
            writer.do(_look_soon, row.id)
    return changed


def _look(store: Store, incoming: Incoming, writer: Writer, row: Row[Any]) -> bool:
    """True if it changed, and waits now."""
    path = store.find(row.sha256, row.file_id)
    digest = _hash(path) if path is not None else None
    if path is None or digest in (None, row.sha256):
        writer.do(_look_later, row.id, row.looks + 1)
        return False
    note = incoming.note(row.sha256, digest)
    note.touch()
    _share(path.parent, store.folder(digest))
    size = path.stat().st_size
    changed = writer.do(_take_anew, row.id, row.scan_id, row.sha256, digest, size)
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
    size = writer.do(lambda connection: connection.scalar(select(files.c.bytes).where(files.c.sha256 == new).limit(1)))
    is_open = scan_states.state_of(scans.c.id).in_((State.WAITING, State.READING))
    if size is None or writer.do(lambda connection: connection.scalar(select(scans.c.id).where(scans.c.sha256 == old, is_open).limit(1))):
        return  # not entered yet; or not read yet, and marked by the note when it is
    half = select(quarantine).where(quarantine.c.sha256 == old, quarantine.c.scan_id.is_not(None), quarantine.c.released_at.is_(None))
    row = writer.do(lambda connection: connection.execute(half.limit(1)).first())
    if row is not None:
        ours = incoming.note(old, new)
        ours.touch()
        writer.do(_take_anew, row.id, row.scan_id, old, new, size)
        _clear(store, writer, ours)
    note.unlink(missing_ok=True)


def _tidy(store: Store, incoming: Incoming, writer: Writer) -> None:
    """Clears up after what was broken off. Not what another watcher is just taking in anew: the ledger may learn of it at this moment."""
    for note in incoming.left(RELOOK):
        _clear(store, writer, note)


def _clear(store: Store, writer: Writer, note: Path) -> None:
    """Of bytes that were taken in anew, and those that they were before, removes which the ledger does not know."""
    both = set(note.stem.split("~")[:2])
    query = select(files.c.sha256).where(files.c.sha256.in_(both))
    known = {str(sha256) for sha256 in writer.do(lambda connection: connection.scalars(query).all())}
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


def _look_later(connection: Connection, quarantine_id: str, looks: int) -> None:
    gap = scan_states.LOOK_AGAIN[looks] - scan_states.LOOK_AGAIN[looks - 1] if looks < len(scan_states.LOOK_AGAIN) else None
    later = {"looks": looks, "next_look_at": None if gap is None else now(gap)}
    connection.execute(update(quarantine).where(quarantine.c.id == quarantine_id).values(later))


def _look_soon(connection: Connection, quarantine_id: str) -> None:
    soon = now(scan_states.LOOK_AGAIN[0])
    connection.execute(update(quarantine).where(quarantine.c.id == quarantine_id).values(next_look_at=soon))


def _take_anew(connection: Connection, quarantine_id: str, scan_id: str, old: str, new: str, size: int) -> bool:
    """False if it was released meanwhile: then a worker may be reading it by its old hash, and will find it truncated again."""
    is_open = (quarantine.c.id == quarantine_id) & quarantine.c.released_at.is_(None)
    if connection.execute(update(quarantine).where(is_open).values(next_look_at=None)).rowcount == 0:
        return False
    connection.execute(update(files).where(files.c.sha256 == old).values(sha256=new, bytes=size))
    if connection.scalar(select(scans.c.id).where(scans.c.sha256 == new).limit(1)) is None:
        connection.execute(update(scans).where(scans.c.sha256 == old).values(sha256=new))  # every frame of it
        half = select(quarantine.c.id).join(scans, scans.c.id == quarantine.c.scan_id)
        for one in connection.scalars(half.where(scans.c.sha256 == new, quarantine.c.released_at.is_(None))).all():
            scan_states.release(connection, one)
        return True
    # The whole file had come by another way: this drop is its duplicate, and the half scan never was one.
    half = select(scans.c.id).where(scans.c.sha256 == old, scan_states.state_of(scans.c.id) == State.QUARANTINED)
    halves = list(connection.scalars(half))
    connection.execute(delete(quarantine).where(quarantine.c.scan_id.in_(halves)))
    connection.execute(update(files).where(files.c.sha256 == new, files.c.id == _file_of(scan_id)).values(outcome=Outcome.DUPLICATE))
    connection.execute(delete(scans).where(scans.c.id.in_(halves)))
    return True


def _file_of(scan_id: str) -> object:
    return select(scans.c.file_id).where(scans.c.id == scan_id).scalar_subquery()
