"""`lungline reprocess --headers` against a real ledger, with a worker that answers: old scans get their facts and their series."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from cli.main import app
from db import headers, jobs, migrate
from db.results import ScanFacts, Verdict
from db.writer import Writer
from jobs.kinds import HEADERS
from lungline.findings import Modality, Status
from lungline.settings import load
from operations.headers import HeadersRead, read_headers
from tests.ledger import enter_with_verdicts

FACTS = ScanFacts(Modality.CT, 10, 20, header_version=0)
HEADER = replace(FACTS, modality=None, study_key="st", series_key="se", orientation="axial", header_version=1)
VERDICT = Verdict("A", Status.ACCEPTED, "non_covid", 1.0, None, 0.0, 0.0, {"non_covid": 1.0})


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Of a home with ten scans whose facts are of an earlier version."""
    engine = migrate.open_database(load())
    writer = Writer(engine)
    enter_with_verdicts(writer, 10, FACTS, VERDICT)
    writer.close()
    yield engine
    engine.dispose()


def answer_all(engine: Engine, ended: threading.Event) -> None:
    """A worker that reads headers as soon as they wait."""
    while not ended.wait(0.05):
        with engine.begin() as connection:
            waiting = sorted(jobs.subjects(connection, HEADERS.name))
            for claim in jobs.claim(connection, (HEADERS.name,), waiting, "slot/boot/x", HEADERS.lease_seconds).values():
                headers.record(connection, claim, HEADER, quiet_seconds=60.0)


def test_old_scans_get_facts_and_series_and_keep_their_verdicts(engine: Engine) -> None:
    ended = threading.Event()
    worker = threading.Thread(target=answer_all, args=(engine, ended))
    worker.start()
    try:
        done = CliRunner().invoke(app, ["reprocess", "--headers", "--json"])
    finally:
        ended.set()
        worker.join(60)

    assert (done.exit_code, json.loads(done.stdout)) == (0, {"headers_read": 10, "left": 0})
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT series_key, orientation, finding, modality FROM scan_results")).all()
        assert {tuple(row) for row in rows} == {("se", "axial", "non_covid", "ct")}
        assert connection.scalar(text("SELECT count(*) FROM jobs WHERE kind = 'assess'")) == 1


def test_what_was_stopped_goes_on_when_asked_again(engine: Engine) -> None:
    stopped = threading.Event()
    stopped.set()

    assert (read_headers(load(), stopped).headers_read, read_headers(load(), stopped).left) == (0, 10)

    with engine.connect() as connection:
        assert headers.count_open(connection) == 0


def test_what_is_being_read_when_it_is_stopped_is_left(engine: Engine) -> None:
    with engine.begin() as connection:
        asked = headers.ask(connection, "", 10)
        assert len(jobs.claim(connection, (HEADERS.name,), asked[:2], "slot/boot/x", HEADERS.lease_seconds)) == 2
    stopped = threading.Event()
    stopped.set()

    assert read_headers(load(), stopped) == HeadersRead(0, 10)


def test_headers_and_scans_are_not_chosen_together(engine: Engine) -> None:
    assert CliRunner().invoke(app, ["reprocess", "--headers", "--all"]).exit_code == 2
