"""`lungline retrain`: enters a run; with --now it stays until that has ended."""

import threading
from typing import Any

import pytest
import typer
from sqlalchemy import text
from typer.testing import CliRunner

from cli.retrain import retrain
from db import runs
from db.migrate import open_database
from db.tables import RunOutcome
from lungline.errors import TrainingError
from lungline.presence import Presence
from lungline.settings import load
from tests.ledger import claim_run
from tests.waiting import wait_for

app = typer.Typer()
app.command()(retrain)


def entered() -> dict[str, Any]:
    engine = open_database(load())
    try:
        with engine.connect() as connection:
            return dict(connection.execute(text("SELECT * FROM training_runs")).mappings().first() or {})
    finally:
        engine.dispose()


def test_it_enters_a_run_and_returns() -> None:
    done = CliRunner().invoke(app, ["--recipe", "xray-cnn", "--recipe", "ct-cnn", "--recipe", "xray-cnn", "--force"])
    assert done.exit_code == 0, done.exception
    row = entered()
    assert row["run_id"] == done.stdout.strip()
    assert done.stderr.startswith("waiting: no training worker runs on this home")
    assert (row["recipes"], row["trigger"], row["state"], row["slot"], bool(row["forced"])) == (
        "xray-cnn,ct-cnn",
        "hand",
        "waiting",
        None,
        True,
    )


def test_nothing_is_missing_where_a_training_worker_runs() -> None:
    present = Presence.take(load().layout.run, "training")
    done = CliRunner().invoke(app, [])
    present.leave()
    assert done.exit_code == 0
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["no-such-recipe", "xray-student", "admission-cnn"])
def test_a_recipe_that_cannot_be_retrained_enters_nothing(name: str) -> None:
    done = CliRunner().invoke(app, ["--recipe", name])
    assert isinstance(done.exception, TrainingError)
    open_database(load()).dispose()
    assert entered() == {}


@pytest.mark.parametrize(
    ("state", "decision", "exit_code"), [(RunOutcome.DONE, "held", 0), (RunOutcome.FAILED, None, 1), (RunOutcome.SKIPPED, None, 1)]
)
def test_now_stays_until_the_run_has_ended(state: RunOutcome, decision: str | None, exit_code: int) -> None:
    open_database(load()).dispose()

    def work() -> None:
        engine = open_database(load())
        wait_for(entered, "entered")
        with engine.begin() as connection:
            claim = claim_run(connection, entered_id(connection), "slot/boot/a")
            assert claim
            runs.note(connection, claim, {"step": "xray-cnn: 3 epochs done"})
        with engine.begin() as connection:
            runs.finish(connection, claim, state, "for a reason", decision)
        engine.dispose()

    worker = threading.Thread(target=work)
    worker.start()
    done = CliRunner().invoke(app, ["--now"])
    worker.join(30)
    assert done.exit_code == exit_code
    assert "for a reason" in done.stderr


def test_now_tells_when_nobody_is_there_to_train(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("lungline.progress.say", said.append)
    settings = load()
    open_database(settings).dispose()

    def work() -> None:
        wait_for(lambda: said, "a word")
        present = Presence.take(settings.layout.run, "training")
        wait_for(lambda: len(said) > 1, "another word")
        engine = open_database(settings)
        with engine.begin() as connection:
            claim = claim_run(connection, entered_id(connection), "slot/boot/a")
            assert claim
            runs.finish(connection, claim, RunOutcome.DONE, "for a reason", "held")
        engine.dispose()
        present.leave()

    worker = threading.Thread(target=work)
    worker.start()
    CliRunner().invoke(app, ["--now"])
    worker.join(30)
    assert [line.partition(":")[0] for line in said] == ["waiting", "waiting", "held"]
    assert "lungline work training" in said[0]
    assert said[1] == "waiting"


def entered_id(connection: Any) -> str:
    return str(connection.execute(text("SELECT run_id FROM training_runs")).scalar())
