"""What a database's errors mean: real ones, made on SQLite and PostgreSQL."""

import sqlite3
from collections.abc import Callable

import pytest
from psycopg import errors as postgresql
from sqlalchemy import Connection, Engine, event, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

from db import errors
from db.connect import connect, read_only
from db.insert import insert_new
from db.tables import audit, facts, files
from lungline.errors import LedgerError, LedgerFault


def caught(engine: Engine, work: Callable[[Connection], object]) -> Exception:
    with pytest.raises(Exception) as caught, engine.begin() as connection:  # noqa: PT011 - which one is what is asked
        work(connection)
    return caught.value


def test_program_error_is_a_fault_that_names_its_mend(engine: Engine) -> None:
    with engine.begin() as connection:
        insert_new(connection, facts, name="x", value="y")
    for statement in (
        "SELECT nothing FROM facts",
        "SELECT * FROM no_table",
        "INSERT INTO facts (name, value) VALUES ('x', 'DOE^JANE')",
        "INSERT INTO facts (name) VALUES ('z')",
        "SELEC 1",
    ):
        error = caught(engine, lambda connection, statement=statement: connection.execute(text(statement)))  # type: ignore[misc]
        translated = errors.translate(error)
        assert (type(translated), errors.is_outage(error), errors.is_conflict(error)) == (LedgerFault, False, False), statement
        assert type(error).__name__ in str(translated)
        assert "lungline db upgrade" in str(translated)
        assert "report it" in str(translated)
        assert not any(word in str(translated) for word in ("DOE", "disk", "nothing FROM"))


@pytest.mark.parametrize("value", ["a\x00b", "caf\udce9", 1 << 80])
def test_a_value_that_a_database_cannot_hold_is_a_fault_or_held(engine: Engine, value: object) -> None:
    try:
        with engine.begin() as connection:
            insert_new(connection, facts, name="x", value=value)
    except Exception as error:
        translated = errors.translate(error)
        assert isinstance(translated, LedgerFault)
        assert str(value) not in str(translated)
    else:
        with engine.connect() as connection:
            assert connection.scalar(select(facts.c.value).where(facts.c.name == "x")) == str(value)


def test_the_audit_s_own_refusal_is_a_fault(engine: Engine) -> None:
    with engine.begin() as connection:
        insert_new(connection, audit, id="a", at=text("CURRENT_TIMESTAMP"), action="run", who="me", detail="x")
    assert isinstance(errors.translate(caught(engine, lambda c: c.execute(audit.delete()))), LedgerFault)


def test_a_database_that_may_only_be_read_is_an_outage(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = ON"))
        engine.dispose()
    else:
        engine = read_only(engine)
    error = caught(engine, lambda connection: connection.execute(files.delete()))
    assert errors.is_outage(error)
    assert isinstance(errors.translate(error), LedgerError)


def test_a_sqlite_that_is_locked_full_or_none_is_an_outage(sqlite_url: str) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    engine = connect(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (value BLOB)"))
    engine.dispose()
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 20"))
    full = caught(engine, lambda connection: connection.execute(text("INSERT INTO t VALUES (zeroblob(1000000))")))
    engine.dispose()
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 1"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    locked = caught(engine, lambda connection: connection.execute(text("SELECT 1")))
    other.close()
    engine.dispose()
    for name in ("-wal", "-shm", ""):
        with open(f"{path}{name}", "wb") as file:
            file.write(b"no database" * 1000)
    none = caught(engine, lambda connection: connection.execute(text("SELECT * FROM t")))
    for error in (full, locked, none):
        assert errors.is_outage(error), errors.name(error)
        assert "LUNGLINE_DATABASE_URL" in str(errors.translate(error))


def test_postgresql_ending_the_session_is_an_outage(postgres_url: str) -> None:
    engine = connect(postgres_url)
    end = "SELECT pg_terminate_backend(pg_backend_pid())"
    gone = caught(engine, lambda connection: connection.execute(text(end)))
    assert errors.is_outage(gone)
    refused = caught(connect("postgresql+psycopg://127.0.0.1:1/nowhere"), lambda _: None)
    absent = caught(connect(postgres_url.replace("/test_", "/absent_")), lambda _: None)
    slow = caught(engine, lambda c: c.execute(text("SET LOCAL statement_timeout = 1; SELECT pg_sleep(5)")))
    assert all(errors.is_outage(error) for error in (refused, absent, slow))
    engine.dispose()


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("08006", "outage"),
        ("53100", "outage"),
        ("57P01", "outage"),
        ("57P03", "outage"),
        ("25006", "outage"),
        ("58030", "outage"),
        ("42501", "outage"),
        ("40001", "conflict"),
        ("40P01", "conflict"),
        ("23505", "fault"),
        ("42P01", "fault"),
        ("42703", "fault"),
        ("22021", "fault"),
        ("25P02", "fault"),
        ("0A000", "fault"),
    ],
)
def test_postgresql_s_errors_by_their_state(state: str, kind: str) -> None:
    driver_s = postgresql.lookup(state)("DOE^JANE")
    wrapped = {OperationalError: postgresql.OperationalError, IntegrityError: postgresql.IntegrityError}
    outer = next((ours for ours, theirs in wrapped.items() if isinstance(driver_s, theirs)), ProgrammingError)
    error: DBAPIError = outer("SELECT 1", {}, driver_s)
    assert errors.is_conflict(error) == (kind == "conflict")
    assert errors.is_outage(error) == (kind != "fault")
    assert state in str(errors.translate(error))


def test_what_is_none_of_the_database_s_is_handed_on() -> None:
    error = KeyError("x")
    assert errors.translate(error) is error
    own = LedgerError("Another worker has claimed this run.")
    assert errors.translate(own) is own
    assert isinstance(errors.translate(OSError(5, "x")), LedgerError)
