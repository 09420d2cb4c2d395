"""Brings a database to this version's tables and views (Alembic), once, however many processes start together."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from db import errors, views
from db.connect import connect, read_only
from db.identity import check_key
from lungline.errors import LedgerError, SettingsError
from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings

HEAD: Final = "0020"  # the newest of migrations/versions; a test holds it there, so that a current database loads no Alembic
_LOCK: Final = 7_061_995  # any number that no other program takes as PostgreSQL advisory lock of this database


def open_database(settings: Settings) -> Engine:
    """Connects, migrates if it must, and makes sure that the pseudonym key is the one that this database was written with.

    Raises:
        LedgerError: the database cannot be reached, or was made by a newer Lungline.
        LedgerFault: it is not as this version left it.
        SettingsError: it is not encoded in UTF-8, or is SQLite on a network file system.
        KeyMismatchError: another key.
    """
    engine = connect(settings.database_url)
    key = PseudonymKey.load_or_create(settings.key_file)
    try:
        _require_utf8(engine)
        if _version(engine) != HEAD:
            _upgrade(engine)
        check_key(engine, key.fingerprint)
    except SQLAlchemyError as error:
        if errors.is_outage(error):
            raise LedgerError(f"The database cannot be reached ({errors.name(error)}); see LUNGLINE_DATABASE_URL.") from None
        raise errors.translate(error) from None
    return engine


def upgrade(settings: Settings) -> None:
    """`lungline db upgrade`: see `open_database`."""
    open_database(settings).dispose()


def _require_utf8(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        return
    with read_only(engine).connect() as connection:
        encoding = str(connection.scalar(text("SHOW server_encoding")))
    if encoding != "UTF8":
        raise SettingsError(
            f"The database of LUNGLINE_DATABASE_URL is encoded in {encoding}, which cannot store every name: make another with "
            "CREATE DATABASE lungline ENCODING 'UTF8' TEMPLATE template0, copy the data with pg_dump and psql, and set "
            "LUNGLINE_DATABASE_URL to it."
        )


def _version(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return version


def _upgrade(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with _without_foreign_keys(engine) as connection:  # tables and views change together or not at all
        _wait_for_turn(connection)
        config.attributes["connection"] = connection
        views.drop(connection)
        try:
            command.upgrade(config, "head")
        except CommandError:
            raise LedgerError("The database was made by a newer version of Lungline: update this one.") from None
        views.create(connection)


@contextmanager
def _without_foreign_keys(engine: Engine) -> Iterator[Connection]:
    """A transaction in which SQLite may write a table anew that others point to; they are checked before its commit."""
    with engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        driver: Any = connection.connection.driver_connection  # SQLite takes this outside of a transaction alone
        if is_sqlite:
            driver.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                yield connection
                if is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise LedgerError("The database could not be migrated, as rows refer to rows that are missing: restore a backup.")
        finally:
            if is_sqlite:
                driver.execute("PRAGMA foreign_keys = ON")


def _wait_for_turn(connection: Connection) -> None:
    # SQLite's BEGIN IMMEDIATE is such a lock already
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
