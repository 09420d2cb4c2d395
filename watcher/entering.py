"""Enters staged files: rows committed, then bytes in place. A file that fails costs itself its place, and no other."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog
from sqlalchemy import Connection

from db import archives, drops
from db.drops import Drop
from db.tables import Outcome
from db.writer import Writer
from lungline.durable import sync_folder
from lungline.errors import LedgerError, StoreError
from lungline.halves import by_halves
from lungline.layout import Store
from lungline.placing import put_in_place
from lungline.reasons import Reason
from watcher import originals
from watcher.disk_threads import DiskThreads
from watcher.faults import is_away
from watcher.file_errors import STORE_AWAY, is_gone
from watcher.staging import StagedFile

log = structlog.get_logger()


class Entering:
    """Between `incoming`, ledger and store. One batch at a time."""

    def __init__(self, store: Store, writer: Writer, disk_threads: DiskThreads) -> None:
        self._store = store
        self._writer = writer
        self._disk_threads = disk_threads

    def enter(self, staged: list[StagedFile]) -> list[Outcome]:
        """Commits the rows of staged files, all at once, then puts their bytes in place; what became of those that have a row.

        What cannot be entered or put in place now stays under `incoming`, where `Leftovers` finds it.

        Raises:
            LedgerError: the database is not to be had. Call it again with the same files.
            StoreError: the store is not to be had; nothing was entered. Call it again with the same files.
        """
        if not self._sync(self._store.incoming):
            raise StoreError("LUNGLINE_STORE cannot be written to: check its disk.")
        durable = self._disk_threads.run_for_each(lambda file: file.folder is None or self._sync(file.folder), staged)
        found = [file for file, is_durable in zip(staged, durable, strict=True) if is_durable]
        entered = [file for file in by_halves(self._commit, found, self._refuse, is_away) if file is not None]
        self._disk_threads.run_for_each(
            lambda file: self.place(*file), [(drop, outcome, folder) for drop, outcome, folder in entered if folder is not None]
        )
        return [outcome for _, outcome, _ in entered]

    def place(self, drop: Drop, outcome: Outcome, folder: Path) -> bool:
        """Puts the bytes of a file that has a row in place; False if that cannot be done now."""
        try:
            self._place(drop, outcome, folder)
        except Exception as error:
            log.warning("a registered file cannot be moved to its place in the store now", file=drop.id, error=type(error).__name__)
            return False
        return True

    def _sync(self, folder: Path) -> bool:
        """Makes a folder's entries durable; False if that fails for this folder alone, or somebody took it away."""
        try:
            sync_folder(folder)
        except OSError as error:
            if not self._store.is_there() or (isinstance(error, FileNotFoundError) and not is_gone(folder, self._store)):
                raise StoreError(STORE_AWAY) from None
            log.warning("a staged file cannot be registered now", error=type(error).__name__)
            return False
        return True

    def _commit(self, staged: Sequence[StagedFile]) -> list[tuple[Drop, Outcome, Path | None] | None]:
        outcomes = self._writer.do(enter_rows, staged)
        return [(file.drop, outcome, file.folder) for file, outcome in zip(staged, outcomes, strict=True)]

    def _refuse(self, file: StagedFile, error: Exception) -> tuple[Drop, Outcome, Path | None] | None:
        """A file whose row the database does not take is refused under a plainer one; None if it does not take that either."""
        log.error("a file cannot be registered", file=file.drop.id, error=type(error).__name__)
        plain = replace(file, drop=replace(file.drop, sha256=None, hint=None), reason=Reason.INTERNAL_ERROR)
        try:
            return self._commit([plain])[0]
        except LedgerError:
            raise
        except Exception as other:
            log.error("a file cannot be refused", file=file.drop.id, error=type(other).__name__)
            return None

    def _place(self, drop: Drop, outcome: Outcome, folder: Path) -> None:
        if drop.stay_key is not None:
            originals.unlink(folder, drop.sha256)
        target = self._store.quarantine / drop.id if outcome is Outcome.REFUSED else self._store.folder(str(drop.sha256))
        put_in_place(folder, target, is_known=outcome in (Outcome.DUPLICATE, Outcome.UNPACKED))


def enter_rows(connection: Connection, staged: Sequence[StagedFile]) -> list[Outcome]:
    """Enters the rows of staged files, and no more; what became of each."""
    read = [file.drop for file in staged if file.reason is None and not file.is_archive]
    accepted = iter(drops.accept_all(connection, read))
    outcomes = []
    for file in staged:
        if file.reason is not None:
            drops.refuse(connection, file.drop, file.reason)
            outcomes.append(Outcome.REFUSED)
        else:
            outcomes.append(archives.enter(connection, file.drop) if file.is_archive else next(accepted))
    return outcomes
