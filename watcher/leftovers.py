"""What lies under `incoming` though nobody works on it: a watcher died, or the disk was full or away. Looked for all the time."""

from dataclasses import replace
from pathlib import Path

import structlog
from sqlalchemy import select

from db.tables import Outcome, files
from db.writer import Writer
from lungline.errors import LedgerError, StoreError
from lungline.layout import Store
from lungline.placing import remove_empty
from watcher import originals
from watcher.entering import Entering
from watcher.file_errors import is_gone
from watcher.incoming import Incoming
from watcher.staging import inspect_leftover

log = structlog.get_logger()


class Leftovers:
    """To be asked only while this watcher stages and enters nothing: all that is its own is left over then."""

    def __init__(self, store: Store, writer: Writer, incoming: Incoming, entering: Entering) -> None:
        self._store = store
        self._writer = writer
        self._incoming = incoming
        self._entering = entering
        self._said: set[str] = set()  # folders that cannot be finished, and were logged

    def begin(self) -> int:
        """Shows that this watcher lives, and finishes what others left; how many files. Call it before the first is staged.

        Raises:
            LedgerError: the database is not to be had. Call it again.
            StoreError, OSError: the store is not to be had. Call it again.
        """
        if not self._store.is_there():
            if self._writer.do(lambda connection: connection.scalar(select(files.c.id).limit(1))) is not None:
                # Made anew, it would lie in an empty mount point, and what came into it would vanish below the disk that is mounted later.
                raise StoreError(
                    "LUNGLINE_STORE is not there: mount its disk again; or, to start a new store, create the folder `incoming` in it."
                )
            self._store.incoming.mkdir(parents=True, exist_ok=True)
        self._incoming.take()
        return self.finish()

    def finish(self) -> int:
        """Enters, or puts in place, what is left; how many files.

        Raises:
            LedgerError: the database is not to be had. Call it again.
            OSError: the store is not to be had. Call it again.
        """
        if not self._store.is_there():
            return 0
        self._incoming.take()
        left = self._incoming.left()
        finished = sum(self._is_finished(folder) for folder in left)
        self._said &= {folder.name for folder in left}
        for note in self._incoming.left(originals.NOTE):
            if is_gone(note.with_suffix(""), self._store):
                note.unlink(missing_ok=True)
        return finished

    def _is_finished(self, folder: Path) -> bool:
        """Whether it is no longer there, now that it was tried."""
        try:
            self._finish(folder)
        except LedgerError:
            raise
        except Exception as error:
            self._say(folder, type(error).__name__)
        return is_gone(folder, self._store)

    def _say(self, folder: Path, error: str) -> None:
        if folder.name not in self._said:
            self._said.add(folder.name)
            log.warning("a staged file cannot be finished now; it is tried again", error=error)

    def _finish(self, folder: Path) -> None:
        drop = Incoming.drop(folder)
        entry = next(folder.iterdir(), None)
        row = self._writer.do(lambda connection: connection.execute(select(files).where(files.c.id == drop.id)).one_or_none())
        if row is None and originals.has_note(folder):
            originals.discard(folder)  # its original is still in the inbox
        elif entry is None:
            remove_empty(folder)
        elif row is not None:
            self._entering.place(replace(drop, sha256=row.sha256, stay_key=row.stay_key), Outcome(row.outcome), folder)
        else:
            self._entering.enter([inspect_leftover(drop, entry)])
