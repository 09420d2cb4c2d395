"""`lungline retrain`: prints the run's id; with --now it stays until that has ended."""

import threading

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from cli.main import app
from db import runs
from db.migrate import open_database
from db.tables import RunOutcome
from db.tables import runs as runs_table
from lungline.presence import Presence
from lungline.settings import load
from tests.ledger import claim_run
from tests.waiting import wait_for


def entered() -> list[str]:
    engine = open_database(load())
    with engine.connect() as connection:
        found = list(connection.scalars(select(runs_table.c.id)))
    engine.dispose()
    return found


def test_it_prints_the_id_and_who_is_missing() -> None:
    done = CliRunner().invoke(app, ["retrain", "--recipe", "xray-cnn"])
    assert done.exit_code == 0, done.exception
    assert entered() == [done.stdout.strip()]
    assert done.stderr.startswith("waiting: no training worker runs on this home")
    assert "lungline work training" in done.stderr


def test_nothing_is_missing_where_a_training_worker_runs() -> None:
    present = Presence.take(load().layout.run, "training")
    done = CliRunner().invoke(app, ["retrain"])
    present.leave()
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize(("outcome", "decision", "exit_code"), [(RunOutcome.DONE, "held", 0), (RunOutcome.FAILED, None, 1)])
def test_now_stays_until_the_run_has_ended(outcome: RunOutcome, decision: str | None, exit_code: int) -> None:
    engine = open_database(load())

    def work() -> None:
        wait_for(entered, "entered")
        (run_id,) = entered()
        with engine.begin() as connection:
            claim = claim_run(connection, run_id, "slot/boot/a")
            assert claim
            runs.finish(connection, claim, outcome, "for a reason", decision)

    worker = threading.Thread(target=work)
    worker.start()
    done = CliRunner().invoke(app, ["retrain", "--now"])
    worker.join(30)
    engine.dispose()
    assert done.exit_code == exit_code
    assert done.stderr.splitlines()[-1] == f"{decision or outcome}: for a reason"
