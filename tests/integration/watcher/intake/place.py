"""A home with an inbox, a real ledger and a real store, and what takes files from the one into the others."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from db import migrate, status
from db.tables import Priority
from db.writer import Writer
from lungline.findings import Modality
from lungline.layout import Store
from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings
from watcher.entering import Entering
from watcher.intake import Intake
from watcher.leftovers import Leftovers
from watcher.limits import USUAL, Limits
from watcher.staging import StagedFile


class IntakePlace:
    """A home with an inbox, and intakes that may be made anew as a restarted watcher would."""

    def __init__(self, settings: Settings) -> None:
        self.inbox = settings.inbox
        self.other = settings.home / "other"
        self.inbox.mkdir()
        self.store = Store(settings.store)
        self.engine = migrate.open_database(settings)
        self.writer = Writer(self.engine)
        self.key = PseudonymKey.load_or_create(settings.key_file)
        self._start("move", USUAL)

    def restarted(self, mode: str = "move", limits: Limits = USUAL) -> Intake:
        """As a new process would have it; the one before is as good as dead."""
        self.intake.close()
        self._start(mode, limits)
        return self.intake

    def _start(self, mode: str, limits: Limits) -> None:
        self.intake, self.entering, self.leftovers = self.watcher(mode, limits)
        self.leftovers.begin()

    def watcher(self, mode: str = "move", limits: Limits = USUAL) -> tuple[Intake, Entering, Leftovers]:
        """The parts of one, which has not begun yet."""
        intake = Intake(self.store, self.writer, self.key, "leave" if mode == "leave" else "move", limits)
        entering = Entering(self.store, self.writer, intake.disk_threads)
        return intake, entering, Leftovers(self.store, self.writer, intake.incoming, entering)

    def drop(self, name: str = "a.png", data: bytes = b"data") -> Path:
        path = self.inbox / name
        path.write_bytes(data)
        return path

    def link(self, name: str = "a.png") -> Path:
        """A name in the inbox for a file that has another outside."""
        self.other.write_bytes(b"data")
        path = self.inbox / name
        os.link(self.other, path)
        return path

    @contextmanager
    def stranger(self) -> Iterator[None]:
        """As another user, who may come as far as the inbox, and write into the store."""
        if os.geteuid() != 0:
            pytest.skip("only root can act as another user")
        for folder in (self.store.root, self.store.incoming):
            folder.chmod(0o777)
        for folder in self.inbox.parents:
            if not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o011)
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    def stage(self, path: Path) -> StagedFile:
        staged = self.intake.stage(str(path), path.lstat(), Priority.STAT, Modality.CT)
        assert staged is not None
        return staged

    def counts(self) -> tuple[object, ...]:
        counts = status.counts(self.engine)
        return tuple(counts[name] for name in ("files", "accepted", "duplicates", "refused"))

    def stored(self, data: bytes = b"data") -> list[str]:
        return self.store.names(hashlib.sha256(data).hexdigest())

    def in_incoming(self) -> list[str]:
        return sorted(path.name for path in self.store.incoming.rglob("*") if not path.name.startswith("."))
