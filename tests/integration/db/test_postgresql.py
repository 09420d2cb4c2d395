"""PostgreSQL as hospitals run it: in other encodings, with other styles of dates, and behind PgBouncer."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, select, text

from db import migrate, status
from db.clock import now
from db.connect import read_only
from db.results import ScanFacts, Verdict
from db.tables import facts
from db.writer import Writer
from jobs import leases
from jobs.kinds import KINDS
from lungline.errors import SettingsError
from lungline.findings import Modality, Status
from lungline.settings import Settings
from tests.ledger import any_drop, claim_scan, enter, find_scan, record
from tests.servers import PgBouncer, Postgres


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_is_not_utf8_is_refused_at_the_start(postgres: Postgres, tmp_path: Path, encoding: str) -> None:
    with (
        postgres.database(f"ENCODING '{encoding}' TEMPLATE template0") as url,
        pytest.raises(SettingsError, match=f"{encoding}.*CREATE DATABASE.*ENCODING 'UTF8' TEMPLATE template0"),
    ):
        migrate.open_database(Settings(home=tmp_path, database_url=url))


def test_names_are_sent_as_utf8_whatever_the_environment_says(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    alter(postgres_url, "client_encoding = 'LATIN1'")
    engine = migrate.open_database(Settings(home=tmp_path, database_url=f"{postgres_url}&client_encoding=latin1"))
    name = "Dr Wójcik 王"
    with engine.begin() as connection:
        connection.execute(facts.insert().values(name="reader", value=name))
    with engine.connect() as connection:
        assert connection.scalar(select(facts.c.value).where(facts.c.name == "reader")) == name
    engine.dispose()


def alter(url: str, setting: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET {setting}".encode())


def read_a_scan(engine: Engine, writer: Writer) -> None:
    """From drop to verdict, with all that asks the clock."""
    scan_id = enter(writer, any_drop())
    claim = writer.do(claim_scan, scan_id, "slot/boot/x")
    assert claim is not None
    assert 0 <= writer.do(find_scan, scan_id).waited_seconds < 60
    assert writer.do(lambda connection: leases.expire(connection, KINDS)[0]) == 0
    said = Verdict("e-1", Status.ACCEPTED, "covid19", 1.0, None, 0.0, 0.0, {"covid19": 1.0})
    assert writer.do(record, claim, ScanFacts(Modality.CT, 4, 4), said)
    with read_only(engine).connect() as connection:
        row = connection.execute(text("SELECT received_at, turnaround_seconds FROM scan_results WHERE scan_id = :id"), {"id": scan_id})
        received_at, seconds = row.one()
        assert abs(received_at - datetime.now(UTC)) < timedelta(minutes=5)
        assert 0 <= seconds < 60


@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres, MDY"])
def test_dates_may_be_told_in_any_style(postgres_url: str, tmp_path: Path, style: str) -> None:
    alter(postgres_url, f"datestyle = '{style}'")
    engine = migrate.open_database(Settings(home=tmp_path, database_url=postgres_url))
    writer = Writer(engine)
    read_a_scan(engine, writer)
    writer.close()
    engine.dispose()


def test_all_goes_through_pgbouncer_in_transaction_mode(postgres_url: str, pgbouncer: PgBouncer, tmp_path: Path) -> None:
    """With another style of dates, and more clients than sessions: each session serves them all in turn."""
    alter(postgres_url, "datestyle = 'German'")
    engine = migrate.open_database(Settings(home=tmp_path, database_url=pgbouncer.url(postgres_url)))
    writers = [Writer(engine) for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        made = [threads.submit(read_a_scan, engine, writers[number % 4]) for number in range(40)]
        for created in made:
            created.result(60)
        counted = [threads.submit(lambda: status.counts(engine)) for _ in range(20)]
        assert all(outcome.result(60)["done"] == 40 for outcome in counted)
    with engine.connect() as connection:
        assert isinstance(connection.scalar(select(now())), datetime)
    for writer in writers:
        writer.close()
    engine.dispose()
