"""The writing thread: what it says is committed is, whatever became of the jobs beside it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest
from sqlalchemy import Connection, Engine, event, text

from db import migrate
from db.connect import connect
from db.insert import insert_new
from db.tables import facts
from db.writer import Writer
from lungline.errors import LedgerError, LedgerFault
from lungline.settings import load
from tests.waiting import wait_for


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = connect(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (value BLOB)"))
    yield engine
    engine.dispose()


def queued(writer: Writer, jobs: int) -> None:
    wait_for(lambda: writer._requests.qsize() >= jobs, "the queueing")


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
        raised = small.exception(20)
    writer.close()
    with engine.connect() as connection:
        kept = connection.scalar(text("SELECT count(*) FROM t"))
    assert isinstance(raised, LedgerError) if kept == 0 else raised is None


def together(writer: Writer, works: Sequence[Callable[[Connection], object]]) -> list[object]:
    """Runs works in one transaction; what each returned or raised."""
    return at_once(writer, [partial(writer.do, work) for work in works])


def at_once(writer: Writer, asks: Sequence[Callable[[], object]]) -> list[object]:
    """Has the writer asked while a transaction is under way; what each call returned or raised."""
    begun, go_on = threading.Event(), threading.Event()

    def first(_: Connection) -> None:
        begun.set()
        assert go_on.wait(20)

    def done(ask: Callable[[], object]) -> object:
        try:
            return ask()
        except Exception as error:
            return error

    with ThreadPoolExecutor(1 + len(asks)) as threads:
        gate = threads.submit(writer.do, first)
        assert begun.wait(20)
        futures = []
        for number, ask in enumerate(asks, 1):
            futures.append(threads.submit(done, ask))
            queued(writer, number)
        go_on.set()
        gate.result(20)
        return [future.result(60) for future in futures]


def test_alike_requests_that_wait_are_done_by_one_call(ledger_writer: tuple[Writer, Engine]) -> None:
    writer, engine = ledger_writer
    calls: list[list[str]] = []

    def note(connection: Connection, names: Sequence[str], value: str) -> list[str]:
        calls.append(list(names))
        for name in names:
            insert_new(connection, facts, name=name, value=value)
        return [name.upper() for name in names]

    asks = [partial(writer.do_together, note, name, "x") for name in "abc"]
    assert at_once(writer, [*asks, partial(writer.do, notes("d")), partial(writer.do_together, note, "e", "y")]) == [
        "A",
        "B",
        "C",
        True,
        "E",
    ]
    assert calls == [["a", "b", "c"], ["e"]]
    assert kept(engine) == {"a", "b", "c", "d"}


def test_one_of_alike_requests_that_fails_spoils_no_other(ledger_writer: tuple[Writer, Engine]) -> None:
    writer, engine = ledger_writer

    def note(connection: Connection, names: Sequence[str]) -> list[bool]:
        for name in names:
            connection.execute(facts.insert().values(name=name, value="x"))  # fails where it stands already
        return [True for _ in names]

    writer.do(notes("b"))
    answers = at_once(writer, [partial(writer.do_together, note, name) for name in "abcd"])
    assert [answer is True for answer in answers] == [True, False, True, True]
    assert isinstance(answers[1], LedgerFault)
    assert kept(engine) == {"a", "b", "c", "d"}


def notes(value: str) -> Callable[[Connection], object]:
    return lambda connection: insert_new(connection, facts, name=value, value="x")


def kept(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.scalars(text("SELECT name FROM facts WHERE value = 'x'")))


@pytest.fixture
def ledger_writer(database_url: str) -> Iterator[tuple[Writer, Engine]]:
    engine = migrate.open_database(load().model_copy(update={"database_url": database_url}))
    writer = Writer(engine)
    yield writer, engine
    writer.close()
    engine.dispose()


@pytest.mark.parametrize("poison", ["SELECT missing FROM facts", "INSERT INTO facts VALUES ('a', 'y')", "SELECT * FROM missing", "SELEC"])
def test_a_poison_job_fails_alone(ledger_writer: tuple[Writer, Engine], poison: str) -> None:
    writer, engine = ledger_writer
    outcomes = together(writer, [notes("a"), lambda connection: connection.execute(text(poison)), notes("b")])
    assert [outcomes[0], outcomes[2]] == [True, True]
    assert isinstance(outcomes[1], LedgerFault)
    assert kept(engine) == {"a", "b"}


@pytest.mark.parametrize("value", ["caf\udce9", "a\x00b"])
def test_name_that_cannot_be_stored_fails_alone_unquoted(
    ledger_writer: tuple[Writer, Engine], value: str, capfd: pytest.CaptureFixture[str]
) -> None:
    writer, engine = ledger_writer
    outcomes = together(writer, [notes("a"), notes(value), notes("b")])
    assert [outcomes[0], outcomes[2]] == [True, True]
    assert isinstance(outcomes[1], LedgerFault) or value in kept(engine)
    assert value not in str(outcomes[1])
    assert {"a", "b"} <= kept(engine)
    assert "caf" not in "".join(capfd.readouterr())


def test_write_that_spoils_the_commit_fails_alone(ledger_writer: tuple[Writer, Engine]) -> None:
    writer, engine = ledger_writer
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE up (id INTEGER PRIMARY KEY)"))
        reference = "REFERENCES up (id) DEFERRABLE INITIALLY DEFERRED"
        connection.execute(text(f"CREATE TABLE down (id INTEGER {reference})"))
    poison: Callable[[Connection], object] = lambda connection: connection.execute(text("INSERT INTO down VALUES (7)"))  # noqa: E731
    works = [notes(str(number)) for number in range(9)]
    outcomes = together(writer, [*works[:4], poison, *works[4:], poison])
    assert [isinstance(outcome, LedgerFault) for outcome in outcomes] == [False] * 4 + [True] + [False] * 5 + [True]
    assert kept(engine) == {str(number) for number in range(9)}
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM down")) == 0


def test_what_a_job_raises_of_its_own_is_its_own_alone(ledger_writer: tuple[Writer, Engine]) -> None:
    writer, engine = ledger_writer

    def mine(_: Connection) -> None:
        raise LedgerError("Another worker has claimed this run.")

    def file(_: Connection) -> None:
        raise OSError(5, "a path")

    outcomes = together(writer, [notes("a"), mine, file, notes("b")])
    assert str(outcomes[1]) == "Another worker has claimed this run."
    assert isinstance(outcomes[2], LedgerError)
    assert kept(engine) == {"a", "b"}


def test_a_deadlock_is_tried_again(postgres_url: str) -> None:
    engine = migrate.open_database(load().model_copy(update={"database_url": postgres_url}))
    with engine.begin() as connection:
        for name in ("a", "b"):
            insert_new(connection, facts, name=name, value="0")
    both = threading.Barrier(2)
    tries: list[str] = []
    add = text("UPDATE facts SET value = CAST(CAST(value AS int) + 1 AS text) WHERE name = :name")

    def crosswise(first: str, second: str) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            tries.append(first)
            connection.execute(add, {"name": first})
            if len(tries) <= 2:
                both.wait(20)
            connection.execute(add, {"name": second})

        return work

    writers = Writer(engine), Writer(engine)
    with ThreadPoolExecutor(2) as threads:
        done = [threads.submit(writers[0].do, crosswise("a", "b")), threads.submit(writers[1].do, crosswise("b", "a"))]
        assert [future.result(60) for future in done] == [None, None]
    assert len(tries) > 2
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT value FROM facts WHERE name IN ('a', 'b')")).all() == ["2", "2"]
    for writer in writers:
        writer.close()
    engine.dispose()


def test_lost_database_is_reported_to_all_and_recovers(postgres_url: str) -> None:
    engine = migrate.open_database(load().model_copy(update={"database_url": postgres_url}))
    writer = Writer(engine)
    end = text("SELECT pg_terminate_backend(pg_backend_pid())")
    outcomes = together(writer, [notes("a"), lambda connection: connection.execute(end), notes("b")])
    assert all(isinstance(outcome, LedgerError) for outcome in outcomes)
    assert writer.do(notes("c")) is True
    assert kept(engine) == {"c"}
    writer.close()
    engine.dispose()


def test_write_that_spoils_its_savepoint_fails_alone(ledger_writer: tuple[Writer, Engine]) -> None:
    writer, engine = ledger_writer

    def spoils(connection: Connection) -> None:
        connection.execute(text("INSERT INTO facts VALUES ('mine', 'x')"))
        connection.exec_driver_sql("RELEASE SAVEPOINT sa_savepoint_2")  # what SQLAlchemy means to release itself

    outcomes = together(writer, [notes("a"), spoils, notes("b")])
    assert [outcomes[0], outcomes[2]] == [True, True]
    assert isinstance(outcomes[1], LedgerFault)
    assert writer.do(notes("c")) is True
    assert {"a", "b", "c"} == kept(engine)


def test_write_that_swallows_an_error_is_not_confirmed(ledger_writer: tuple[Writer, Engine]) -> None:
    """PostgreSQL ends a transaction with the first error, and answers COMMIT with a rollback."""
    writer, engine = ledger_writer

    def careless(connection: Connection) -> bool:
        connection.execute(text("INSERT INTO facts VALUES ('mine', 'x')"))
        with suppress(Exception):
            connection.execute(text("SELECT missing FROM facts"))
        return True

    outcomes = together(writer, [notes("a"), careless, notes("b")])
    assert [outcomes[0], outcomes[2]] == [True, True]
    assert {"a", "b"} <= kept(engine)
    assert (outcomes[1] is True) == ("mine" in kept(engine))
