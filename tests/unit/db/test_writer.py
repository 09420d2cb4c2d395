"""The writing thread: what it says is committed is, whatever became of the jobs beside it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, event, text

from db.connect import connect
from db.writer import Writer
from lungline.errors import LedgerError
from tests.waiting import wait_for


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = connect(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (value BLOB)"))
    yield engine
    engine.dispose()


def queued(writer: Writer, jobs: int) -> None:
    wait_for(lambda: writer._jobs.qsize() >= jobs, "the queueing")


def test_a_full_disk_is_told_to_all_that_shared_the_transaction(engine: Engine) -> None:
    engine.dispose()
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 20"))
    writer = Writer(engine)
    begun, go_on = threading.Event(), threading.Event()

    def first(_: Connection) -> None:
        begun.set()
        assert go_on.wait(20)

    def insert(size: int) -> None:
        writer.do(lambda connection: connection.execute(text("INSERT INTO t VALUES (zeroblob(:size))"), {"size": size}))

    with ThreadPoolExecutor(3) as threads:
        gate = threads.submit(writer.do, first)
        assert begun.wait(20)
        small = threads.submit(insert, 10)  # these two wait together and share a transaction, which SQLite rolls back as a whole
        queued(writer, 1)
        large = threads.submit(insert, 10_000_000)
        queued(writer, 2)
        go_on.set()
        gate.result(20)
        with pytest.raises(LedgerError):
            large.result(20)
        told = small.exception(20)
    writer.close()
    with engine.connect() as connection:
        kept = connection.scalar(text("SELECT count(*) FROM t"))
    assert isinstance(told, LedgerError) if kept == 0 else told is None
