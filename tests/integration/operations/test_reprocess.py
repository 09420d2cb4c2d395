"""`lungline reprocess` against a real ledger, with a worker that answers as told; stopped, and asked again."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, insert, select, text, update
from typer.testing import CliRunner

from cli.main import app
from db import migrate, rereads
from db.clock import now
from db.jobs import Claim
from db.results import ScanFacts, Verdict
from db.tables import scans, versions
from db.writer import Writer
from lungline.findings import Modality, Status
from lungline.reasons import Reason
from lungline.settings import load
from tests.ledger import claim_scan, enter_with_verdicts, record
from workers import failed_reads

FACTS = ScanFacts(Modality.XRAY, 10, 20)
Answer = Callable[[Claim], Verdict | Reason]


def verdict(by: str, finding: str = "normal") -> Verdict:
    return Verdict(by, Status.ACCEPTED, finding, 1.0, None, 0.0, 0.0, {finding: 1.0})


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Of a home with thirty scans that the former champion judged."""
    engine = migrate.open_database(load())
    writer = Writer(engine)
    enter_with_verdicts(writer, 30, FACTS, verdict("A"))
    writer.close()
    with engine.begin() as connection:
        row = {"version": "B", "kind": "ensemble", "name": "xray", "modality": "xray", "state": "champion", "sha256": "0" * 64}
        connection.execute(insert(versions).values(**row, shipped=True, created_at=now()))
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


class Worker:
    """Reads what is to be read again, as soon as it waits."""

    def __init__(self, engine: Engine, answer: Answer) -> None:
        self._engine = engine
        self._answer = answer
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(20)

    def _run(self) -> None:
        while not self._ended.wait(0.02):
            with self._engine.begin() as connection:
                waiting = sorted(rereads.asked(connection))
            for scan_id in waiting:
                with self._engine.begin() as connection:
                    claim = claim_scan(connection, scan_id, "slot/boot/y")
                    if claim is None:  # called back meanwhile
                        continue
                    said = self._answer(claim)
                    if isinstance(said, Reason):
                        failed_reads.turn_away(connection, claim, said, "x")
                    else:
                        record(connection, claim, FACTS, said)


def reprocess(*options: str) -> tuple[int, dict[str, object]]:
    result = CliRunner().invoke(app, ["reprocess", *options, "--json"])
    return result.exit_code, json.loads(result.stdout)


def current(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(text("SELECT ensemble, count(*) FROM scan_results GROUP BY ensemble"))}


def test_all_are_read_again_once_the_worker_has_the_champion(engine: Engine) -> None:
    read: list[str] = []
    lost = read_ids(engine)[7]

    def answer(claim: Claim) -> Verdict | Reason:
        read.append(claim.subject)
        if claim.subject == lost:
            return Reason.BYTES_MISSING
        return verdict("A") if len(read) <= 6 else verdict("B", "covid19")

    with Worker(engine, answer):
        code, reported = reprocess("--all")
    assert code == 1  # one could not be read
    change = {"modality": "xray", "finding_before": "normal", "finding": "covid19", "status_before": "accepted", "status": "accepted"}
    assert reported == {"read_again": 29, "failed": {"bytes_missing": 1}, "left": 0, "changes": [change | {"scans": 29}]}
    assert current(engine) == {"A": 1, "B": 29}
    assert len(read) == 36  # six times for nothing


def test_what_is_of_the_champion_already_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(versions).values(version="A"))
    assert reprocess("--all") == (0, {"read_again": 0, "failed": {}, "left": 0, "changes": []})


def test_a_signal_stops_it_and_it_goes_on_when_asked_again(engine: Engine) -> None:
    read: list[str] = []

    def answer(claim: Claim) -> Verdict:
        read.append(claim.subject)
        if len(read) == 10:
            os.kill(os.getpid(), signal.SIGINT)
        return verdict("B")

    with Worker(engine, answer):
        code, first = reprocess("--finding", "normal")
        assert code == 1
        assert first["left"] == 30 - len(read)
        with engine.connect() as connection:
            assert rereads.asked(connection) == set()
        code, second = reprocess("--finding", "normal")
    assert (code, second["left"]) == (0, 0)
    assert second["changes"][0]["scans"] == 30  # type: ignore[index]  # since it was begun
    assert sorted(read) == read_ids(engine)  # each once
    with engine.connect() as connection:
        details = connection.scalars(text("SELECT detail FROM audit_log WHERE action = 'reprocess' ORDER BY audit_id")).all()
    assert [detail.split(":")[0] for detail in details] == ["began", "stopped", "went on", "ended"]


def test_one_that_was_killed_leaves_nothing_behind(engine: Engine) -> None:
    with engine.begin() as connection:
        rereads.begin(connection, rereads.Choice())
        assert len(rereads.ask(connection, rereads.Choice(), "", 20)) == 20  # and then SIGKILL
    with Worker(engine, lambda _: verdict("B")):
        code, reported = reprocess("--all")
    assert (code, reported["left"]) == (0, 0)
    assert current(engine) == {"B": 30}


@pytest.mark.parametrize("options", [(), ("--all", "--finding", "normal"), ("--finding", "cap"), ("--since", "last week")])
def test_which_scans_must_be_said(options: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, ["reprocess", *options]).exit_code == 2


def read_ids(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(connection.scalars(select(scans.c.id)))
