"""Looks again at truncated files: a sender that paused for long may have gone on writing into the bytes that were taken in."""

import hashlib
import os
import shutil
from pathlib import Path

from sqlalchemy import Connection, delete, select, update

from db import ledger
from db.clock import now
from db.tables import Outcome, State, files, quarantine, scans
from db.writer import Writer
from lungline.store import Store

_MOST = 100
_NOTE = ".relook"  # in `incoming`: which bytes become which, until the store holds no more than the ledger knows


def relook(store: Store, writer: Writer) -> int:
    """Takes in anew what changed among the truncated files that are due; returns how many did."""
    due = select(quarantine).where(quarantine.c.next_look_at <= now(), quarantine.c.released_at.is_(None)).limit(_MOST)
    changed = 0
    for row in writer.do(lambda connection: connection.execute(due).all()):
        path = store.find(row.sha256, row.file_id)
        digest = _hash(path) if path is not None else row.sha256
        if path is None or digest in (None, row.sha256):
            writer.do(lambda connection, row=row: _look_later(connection, row.id, row.looks + 1))  # type: ignore[misc]
        else:
            store.incoming.mkdir(parents=True, exist_ok=True)
            (store.incoming / f"{row.sha256}~{digest}{_NOTE}").touch()
            _share(path.parent, store.folder(digest))
            size = path.stat().st_size
            changed += writer.do(lambda c, row=row, digest=digest, size=size: _take_anew(c, row.id, row.scan_id, row.sha256, digest, size))  # type: ignore[misc]
            tidy(store, writer)
    return changed


def tidy(store: Store, writer: Writer) -> None:
    """Of bytes that were taken in anew, and those that they were before, removes which the ledger does not know; also after a crash."""
    for note in store.incoming.glob(f"*{_NOTE}"):
        both = set(note.name.removesuffix(_NOTE).split("~"))
        query = select(files.c.sha256).where(files.c.sha256.in_(both))
        known = {str(sha256) for sha256 in writer.do(lambda connection, query=query: connection.scalars(query).all())}  # type: ignore[misc]
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
    gap = ledger.LOOK_AGAIN[looks] - ledger.LOOK_AGAIN[looks - 1] if looks < len(ledger.LOOK_AGAIN) else None
    later = {"looks": looks, "next_look_at": None if gap is None else now(gap)}
    connection.execute(update(quarantine).where(quarantine.c.id == quarantine_id).values(later))


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
            ledger.release(connection, one)
        return True
    # The whole file had come by another way: this drop is its duplicate, and the half scan never was one.
    half = select(scans.c.id).where(scans.c.sha256 == old, scans.c.state == State.QUARANTINED)
    connection.execute(delete(quarantine).where(quarantine.c.scan_id.in_(half)))
    connection.execute(update(files).where(files.c.sha256 == new, files.c.id == _file_of(scan_id)).values(outcome=Outcome.DUPLICATE))
    connection.execute(delete(scans).where(scans.c.sha256 == old, scans.c.state == State.QUARANTINED))
    return True


def _file_of(scan_id: str) -> object:
    return select(scans.c.file_id).where(scans.c.id == scan_id).scalar_subquery()
