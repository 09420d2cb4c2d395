"""Opens the database: SQLite with the durability and locking that the ledger needs, or PostgreSQL."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

from lungline import filesystems
from lungline.errors import SettingsError

_BUSY_SECONDS = 30.0  # to wait for a lock of SQLite, where the address names no `timeout`
# What is set here works through PgBouncer, in transaction mode too: no server parameters but those that it knows by itself, and no
# statements that stay prepared in a session. A server that is gone without a word is noticed within half a minute, not after the system's
# two hours.
_POSTGRESQL = {
    "application_name": "lungline",
    "client_encoding": "utf8",
    "prepare_threshold": None,
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def connect(url: str, mounts: Path = filesystems.MOUNTS) -> Engine:
    """An engine for `url`, which migrates nothing (db/migrate.py does).

    `mounts` tells on which file systems paths lie (lungline/filesystems.py).

    Raises:
        SettingsError: a SQLite file would lie on a network file system, whose locks cannot be relied on.
    """
    if make_url(url).get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True, connect_args=_POSTGRESQL)
        event.listen(engine, "connect", _tell_dates_as_iso)
        return engine
    _refuse_network(url, mounts)
    timeout = make_url(url).query.get("timeout", _BUSY_SECONDS)
    engine = create_engine(url, connect_args={"timeout": float(str(timeout))})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def read_only(engine: Engine) -> Engine:
    """The same database for queries alone: each transaction sees one snapshot, and takes no write lock."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine.execution_options(read_only=True)


def _refuse_network(url: str, mounts: Path) -> None:
    path = make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if filesystems.kind(Path(path), mounts) in filesystems.NETWORK:
            raise SettingsError(
                "SQLite cannot be trusted on a network file system: set LUNGLINE_DATABASE_URL to PostgreSQL or a local disk."
            )


def _tell_dates_as_iso(connection: Any, _record: Any) -> None:
    """The driver reads no times in another style, which a database or role may have for its own (`ALTER DATABASE … SET datestyle`).

    PgBouncer gives a client's DateStyle to whichever session serves it.
    """
    connection.autocommit = True
    connection.execute("SET datestyle TO ISO")
    connection.autocommit = False


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself: `_begin` does
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # IMMEDIATE: a transaction that reads first and writes later would fail instead of waiting when another wrote between
    reading = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
