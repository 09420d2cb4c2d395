"""Files that were copied, since another process had them open for writing or may have had: each stays in the inbox until it is let go of.

A note in `incoming` stands for each. While the note of a file says that it is open, what is read of its copy is marked (`still_written`).
What is written to the file after it was copied is met by the walk, since the file looks different then, and is taken in anew.
"""

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from sqlalchemy import select

from db.drops import Drop
from db.tables import files
from db.writer import Writer
from lungline.durable import replace_text
from lungline.layout import HELD, Store
from watcher.incoming import Incoming
from watcher.stability import has_writer, signature

UNSURE: Final = ".unsure"  # the system does not say whether another process has it open


@dataclass(frozen=True)
class _Note:
    watcher: str
    path: str
    like: list[int]  # its signature when it was copied
    sha256: str  # of the copy
    removable: bool
    newer: str | None = None  # hash of what was taken in of it since


class Held:
    """The notes of one inbox."""

    def __init__(self, store: Store, writer: Writer, incoming: Incoming, unsure_seconds: float) -> None:
        self._store = store
        self._writer = writer
        self._incoming = incoming
        self._unsure_seconds = unsure_seconds  # so long a file must look the same that may be open
        self._notes: dict[str, Path] = {}  # path in the inbox -> note

    def note(self, drop: Drop, path: str, status: os.stat_result, *, is_open: bool, removable: bool) -> None:
        """Notes that a file was copied and stays; before its row is committed."""
        self.taken_anew(path, str(drop.sha256))
        note = self._store.held_note(drop.id) if is_open else self._incoming.root / f"{drop.id}{UNSURE}"
        known = _Note(self._incoming.watcher, path, list(signature(status)), str(drop.sha256), removable)
        replace_text(note, json.dumps(asdict(known)))
        self._notes[path] = note

    def taken_anew(self, path: str, sha256: str) -> None:
        """What lies at `path` was staged, and may be what a held file has become."""
        note = self._notes.get(path)
        known = None if note is None else _read(note)
        if note is not None and known is not None and known.sha256 != sha256:
            with suppress(OSError):  # then both count
                replace_text(note, json.dumps(asdict(replace(known, newer=sha256))))

    def tend(self) -> list[tuple[Path, str, str]]:
        """Lets go of the files that are open no longer. Returns note, hash of the copy and newer hash of those that were taken in anew.

        To be asked only while nothing is being entered.

        Raises:
            LedgerError: the database is not to be had. Call it again.
            OSError: the store is not to be had. Call it again.
        """
        self._notes = {}
        anew = []
        others = self._incoming.others()
        for suffix in (HELD, UNSURE):
            for note in self._incoming.root.glob(f"*{suffix}"):
                known = _read(note)
                if known is None or not self._is_entered(note.stem):
                    note.unlink(missing_ok=True)  # a crash came between copy and row: the original is taken in as any other
                elif known.watcher not in others:
                    self._notes[known.path] = note
                    if known.newer is not None:
                        anew.append((note, known.sha256, known.newer))
                    elif _is_let_go(note, known, self._unsure_seconds):
                        note.unlink(missing_ok=True)
        return anew

    def _is_entered(self, file_id: str) -> bool:
        row = select(files.c.id).where(files.c.id == file_id)
        return self._writer.do(lambda connection: connection.scalar(row)) is not None


def _read(note: Path) -> _Note | None:
    try:
        return _Note(**json.loads(note.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _is_let_go(note: Path, known: _Note, unsure_seconds: float) -> bool:
    """Whether there is no more to wait for: the original is gone, or is whole as it was copied, and was removed now where it may be."""
    try:
        descriptor = os.open(known.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return os.path.isdir(os.path.dirname(known.path))  # else the inbox is away
    try:
        now = list(signature(os.fstat(descriptor)))
        if now != known.like:
            return now[:2] != known.like[:2]  # another file; the same one was written to, and is taken in by the walk
        writer = has_writer(descriptor)
        if writer or (writer is None and time.time() - note.stat().st_mtime < unsure_seconds):
            return False
        if known.removable:
            with suppress(OSError):  # it may not be removed: then it stays, and is known
                os.unlink(known.path)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
