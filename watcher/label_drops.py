"""Files of readers' labels in `inbox/labels/`: no scans, so counted among none. Each is kept in `STORE/labels`, with a report beside it.

`<import id>~<stay key>.csv` holds the bytes, `.txt` by the same name what became of them: with that, all is done. At every line the process
may die: a file without a report is imported at the next start, and one that still lies in the inbox is known by its stay key.
"""

import hashlib
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from db import labels
from db.audit import US
from db.writer import Writer
from lungline import label_rows
from lungline.durable import replace_bytes, replace_text
from lungline.errors import LabelsError
from lungline.ids import new_id
from lungline.layout import Store
from lungline.pseudonyms import PseudonymKey
from watcher.file_errors import Unfinished, raise_reworded
from watcher.limits import Limits
from watcher.originals import stay_key
from watcher.stability import patience_seconds, signature

log = structlog.get_logger()

_FOLDER = "labels"
_PRIVATE = 0o600
_TOO_LARGE = f"The file has more than {label_rows.BYTES_MAX >> 20} MiB: split it."


@dataclass(frozen=True)
class Taken:
    """A file of labels that is done with. `stays`: in the inbox, since it may not be removed."""

    stays: bool


def are_labels(path: str, status: os.stat_result, inbox: Path) -> bool:
    """Whether a file of the inbox is one of labels: a regular file `*.csv` in or below its folder `labels`."""
    folder = path[len(os.fspath(inbox)) :].lstrip(os.sep).split(os.sep, 1)[0]
    return folder.lower() == _FOLDER and path.lower().endswith(".csv") and stat.S_ISREG(status.st_mode)


def is_known(store: Store, stay: str) -> bool:
    """Whether a file that stays in the inbox is done with."""
    return next(store.labels.glob(f"*~{stay}.txt"), None) is not None


def left(store: Store) -> list[Path]:
    """Files that are kept, and not yet imported."""
    return [path for path in sorted(store.labels.glob("*~*.csv")) if not path.with_suffix(".txt").exists()]


class LabelDrops:
    """Takes files of labels in; any number of threads may."""

    def __init__(self, store: Store, writer: Writer, key: PseudonymKey, mode: Literal["move", "leave"], limits: Limits) -> None:
        self._store = store
        self._writer = writer
        self._key = key
        self._mode = mode
        self._limits = limits

    def take(self, path: str, status: os.stat_result, age: float) -> Taken | None:
        """Keeps and imports a settled file; None if it changed meanwhile or is gone.

        Args:
            path: where it lies.
            status: as it was when it had settled.
            age: for how many seconds it has not changed.

        Raises:
            Unfinished: more of it may come.
            FileError: it cannot be read now.
            StoreError, LedgerError: store or database cannot take it now; asked again, it goes on.
        """
        stay = stay_key(self._key, path, status)
        try:
            if not is_known(self._store, stay) and not self._take(path, status, age, stay):
                return None
            return Taken(stays=self._stays(path, status, stay))
        except OSError as error:
            raise_reworded(error, self._store)
            return None

    def finish(self) -> int:
        """Imports what an earlier watcher kept, and did not come to; returns how many files."""
        files = left(self._store)
        for path in files:
            try:
                self._import(path)
            except OSError as error:  # a disk that cannot read it: `reconcile` tells
                log.warning("a file of labels cannot be finished", error=type(error).__name__)
        return len(files)

    def _take(self, path: str, status: os.stat_result, age: float, stay: str) -> bool:
        """False if it changed meanwhile."""
        kept = self._kept(stay)
        if kept is None:
            if not self._store.is_there():
                raise FileNotFoundError  # not to be made anew in an empty mount point
            self._store.labels.mkdir(exist_ok=True)
            kept = self._store.labels / f"{new_id()}~{stay}.csv"
            if status.st_size > label_rows.BYTES_MAX:
                self._move(path, kept)
                return True
            data = _read(path, status, age, self._limits)
            if data is None:
                return False
            replace_bytes(kept, data, mode=_PRIVATE)
        self._import(kept)
        return True

    def _move(self, path: str, kept: Path) -> None:
        """A file that is too large is not copied: where it cannot be moved, it stays."""
        if self._mode == "move":
            with suppress(OSError):
                os.rename(path, kept)
                os.chmod(kept, _PRIVATE)
        self._refuse(kept, _TOO_LARGE, None)

    def _import(self, kept: Path) -> None:
        if kept.stat().st_size > label_rows.BYTES_MAX:
            self._refuse(kept, _TOO_LARGE, None)
            return
        data = kept.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            table = label_rows.read(data)
        except LabelsError as error:
            self._refuse(kept, str(error), sha256)
            return
        named = self._store.named(table.file_names)
        import_id = _import_id(kept)
        done = self._writer.do(
            lambda connection: labels.enter(connection, table, named, self._key, who=US, sha256=sha256, import_id=import_id)
        )
        log.info("labels imported", added=done.added, known=done.known, refused=len(done.refused))
        lines = [done.text, *(f"line {row.line}: {row.fault.sentence}" for row in done.refused)]
        replace_text(kept.with_suffix(".txt"), "".join(f"{line}\n" for line in lines), mode=_PRIVATE)

    def _refuse(self, kept: Path, why: str, sha256: str | None) -> None:
        import_id = _import_id(kept)
        self._writer.do(labels.refuse, why, who=US, sha256=sha256, import_id=import_id)
        log.warning("a file of labels was refused", advice=why)
        replace_text(kept.with_suffix(".txt"), f"{why}\n", mode=_PRIVATE)

    def _stays(self, path: str, status: os.stat_result, stay: str) -> bool:
        """Takes a file out of the inbox if the store holds it; True if it could not."""
        try:
            if self._mode == "move" and self._kept(stay) is not None and signature(os.lstat(path)) == signature(status):
                os.unlink(path)
        except OSError:
            pass
        return os.path.lexists(path)

    def _kept(self, stay: str) -> Path | None:
        return next(self._store.labels.glob(f"*~{stay}.csv"), None)


def _import_id(kept: Path) -> str:
    return kept.name.split("~")[0]


def _read(path: str, status: os.stat_result, age: float, limits: Limits) -> bytes | None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if signature(os.fstat(descriptor)) != signature(status):
            return None
        if age < patience_seconds(descriptor, status.st_size, limits):
            raise Unfinished
        data = file.read(label_rows.BYTES_MAX + 1)
        return data if signature(os.fstat(descriptor)) == signature(status) else None
