"""The page's one way to the database: opened when it is first needed, so that the page can say that it is away."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from db import errors
from db.connect import read_only
from db.migrate import open_database
from lungline.settings import Settings
from operations.users import add_first_user


class PageDatabase:
    """One database, for any number of threads."""

    def __init__(self, settings: Settings) -> None:
        """Opens nothing yet."""
        self._settings = settings
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    def engine(self) -> Engine:
        """The database, migrated, with a user who can log in.

        Raises:
            LedgerError: it cannot be reached now.
            LunglineError: it is not this installation's.
        """
        with self._opening:
            if self._engine is None:
                engine = open_database(self._settings)
                with errors.translating():
                    add_first_user(self._settings, engine)
                self._engine = engine
            return self._engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that reads one snapshot.

        Raises:
            LedgerError, LedgerFault: the database cannot be used, or refuses.
        """
        with errors.translating(), read_only(self.engine()).connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction, committed when the block ends.

        Raises:
            LedgerError, LedgerFault: the database cannot be used, or refuses.
        """
        with errors.translating(), self.engine().begin() as connection:
            yield connection
