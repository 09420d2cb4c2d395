"""The place between inbox and ledger: a folder a drop, named for its row. What a living watcher works on is told from what was left."""

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from db.drops import Drop
from db.tables import Priority
from lungline.findings import Modality
from lungline.layout import Store

RELOOK: Final = ".relook"
_LOCK = ".lock"  # hidden, and named for a watcher that lives


class Incoming:
    """One watcher's part in `STORE/incoming`: it holds a lock on a file there for as long as it lives."""

    def __init__(self, store: Store) -> None:
        self.root = store.incoming
        self.watcher = secrets.token_hex(4)
        self._lock: int | None = None

    def take(self) -> None:
        """Shows other watchers on this store that this one lives; asked again, looks whether they can see it still.

        Raises:
            OSError: the store is not to be had.
        """
        if self._lock is not None and not self._lock_file(self.watcher).exists():  # another store lies here than before
            os.close(self._lock)
            self._lock = None
        if self._lock is None:
            draft = self.root / f".{self.watcher}"
            self._lock = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with suppress(OSError):  # no locks on this file system
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.rename(self._lock_file(self.watcher))  # it is never seen unlocked

    def leave(self) -> None:
        """This watcher ends."""
        if self._lock is not None:
            self._lock_file(self.watcher).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def folder(self, drop: Drop) -> Path:
        """Makes the folder of a drop."""
        folder = self.root / f"{drop.id}~{drop.priority}~{drop.hint or 'any'}~{self.watcher}~{drop.sha256 or 'none'}"
        folder.mkdir()
        return folder

    def note(self, old: str, new: str) -> Path:
        """Where it is noted that this watcher takes the bytes with one hash in anew, by another; `left(RELOOK)` finds it."""
        return self.root / f"{old}~{new}~relook~{self.watcher}{RELOOK}"

    @staticmethod
    def drop(folder: Path) -> Drop:
        """The drop that a folder was made for; its bytes are to be looked at anew.

        Raises:
            ValueError: it was made for none.
        """
        drop_id, priority, hint, *_ = folder.name.split("~")
        return Drop(drop_id, None, 0, Priority(priority), None if hint == "any" else Modality(hint))

    def left(self, suffix: str = "") -> list[Path]:
        """The folders, or with a suffix the files beside them, on which no other watcher works."""
        alive = self.others()
        found = self.root.glob(f"*{suffix}") if suffix else (path for path in self.root.iterdir() if path.is_dir())
        return sorted(path for path in found if _watcher_of(path.name.removesuffix(suffix)) not in alive)

    def others(self) -> set[str]:
        """The other watchers that live on this store."""
        alive = set()
        for path in self.root.glob(f".*{_LOCK}"):
            watcher = path.name[1 : -len(_LOCK)]
            if watcher == self.watcher:  # on a network file system, to close it here would unlock it
                continue
            try:
                with path.open("r+b") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink(missing_ok=True)
            except BlockingIOError:
                alive.add(watcher)
            except OSError:
                continue
        return alive

    def _lock_file(self, watcher: str) -> Path:
        return self.root / f".{watcher}{_LOCK}"


def _watcher_of(name: str) -> str:
    """Which watcher made a folder or note; empty if its name tells none."""
    return (name.split("~") + [""] * 4)[3]
