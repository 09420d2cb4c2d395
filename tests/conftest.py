"""Fixtures for all tests: an empty home each, and real servers that are started when the first test asks for them."""

import os
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

import pytest
import structlog
from sqlalchemy import Connection, Engine

from db import migrate
from db.writer import Writer
from lungline.settings import PREFIX, load
from tests import networks
from tests.servers import Broker, NoServer, PgBouncer, Postgres

_Server = TypeVar("_Server", Broker, Postgres, PgBouncer)
_TESTS = Path(__file__).resolve().parent
_WAIT = ("acceptance/", "integration/")
_COMPUTE = ("unit/training/", "unit/models/")
_TRAINING_DATA = os.environ.get(f"{PREFIX}TRAINING_DATA")  # before `home` hides it from the tests


def pytest_configure() -> None:
    networks.begin_run()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait for servers and files that train come first, in turn; else in the random order that was drawn.

    So tests that run at a time do not all wait, or all compute, and none of the longest is left for the end.
    """
    waiting: dict[Path, list[pytest.Item]] = {}
    computing: dict[Path, list[pytest.Item]] = {}
    short: dict[Path, list[pytest.Item]] = {}
    for item in items:
        room = item.path.relative_to(_TESTS).as_posix()
        kind = waiting if room.startswith(_WAIT) else computing if room.startswith(_COMPUTE) else short
        kind.setdefault(item.path, []).append(item)
    pairs = zip_longest(sorted(waiting.items()), computing.items())
    files = [file for pair in pairs for file in pair if file is not None]
    items[:] = [item for _, group in (*files, *short.items()) for item in group]


def pytest_unconfigure() -> None:
    networks.end_run()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty LUNGLINE_HOME, and no other LUNGLINE_* of the machine: no test touches a real installation."""
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv(f"{PREFIX}HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """Commands send the log to their standard error, which is closed when their test ends."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def training_data() -> Path:
    """The folder of labelled scans that LUNGLINE_TRAINING_DATA names."""
    if not _TRAINING_DATA or not (Path(_TRAINING_DATA) / "manifest.csv").is_file():
        pytest.skip("no labelled scans: set LUNGLINE_TRAINING_DATA to a folder with manifest.csv")
    return Path(_TRAINING_DATA)


@pytest.fixture(scope="session")
def _broker() -> Iterator[Broker]:
    broker = _started(Broker())
    yield broker
    broker.kill()


@pytest.fixture
def broker_url(_broker: Broker) -> str:
    """The address of a real, empty Redis or Valkey server. Not for tests that kill it: see `fresh_broker`."""
    _broker.client.flushall()
    return _broker.url


@pytest.fixture
def fresh_broker() -> Iterator[Broker]:
    """A running server of this test's own, with `url`, `client`, `kill()`, `start()` and `restart()` on the same port."""
    broker = _started(Broker())
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Postgres]:
    postgres = _started(Postgres())
    yield postgres
    postgres.stop()


@pytest.fixture
def postgres(_postgres: Postgres) -> Postgres:
    """That server, for databases of a test's own."""
    return _postgres


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'lungline.db'}"


@pytest.fixture
def postgres_url(_postgres: Postgres) -> Iterator[str]:
    """The address of an empty database on a real PostgreSQL server."""
    with _postgres.database() as url:
        yield url


@pytest.fixture
def pgbouncer(_postgres: Postgres) -> Iterator[PgBouncer]:
    """A PgBouncer in transaction mode before that server."""
    pgbouncer = _started(PgBouncer(_postgres))
    yield pgbouncer
    pgbouncer.stop()


@pytest.fixture
def fresh_postgres() -> Iterator[Postgres]:
    """A running server of this test's own, which it may stop for a while (`away`)."""
    postgres = _started(Postgres())
    yield postgres
    postgres.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database; a test that takes it runs twice, once on each."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An empty database with tables and views; a test that takes it runs twice, on SQLite and on PostgreSQL."""
    engine = migrate.open_database(load().model_copy(update={"database_url": database_url}))
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """One transaction on it."""
    with engine.begin() as connection:
        yield connection


@pytest.fixture
def writer() -> Iterator[Writer]:
    """The writer of an empty ledger, on SQLite."""
    engine = migrate.open_database(load())
    writer = Writer(engine)
    yield writer
    writer.close()
    engine.dispose()


def _started(server: _Server) -> _Server:
    try:
        server.start()
    except NoServer as missing:
        pytest.skip(str(missing))
    return server
