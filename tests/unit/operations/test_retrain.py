"""A training run by hand: entered, and followed until it has ended."""

import threading
from typing import Any

import pytest
from sqlalchemy import text

from db import runs
from db.migrate import open_database
from db.runs import RunProgress
from db.tables import RunOutcome
from lungline.errors import TrainingError
from lungline.presence import Presence
from lungline.settings import load
from operations.retrain import FollowedRun, enter_run, follow_run
from tests.ledger import claim_run


def entered() -> list[dict[str, Any]]:
    engine = open_database(load())
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(text("SELECT * FROM training_runs")).mappings()]
    engine.dispose()
    return rows


def test_it_enters_a_run_with_each_recipe_once() -> None:
    run_id = enter_run(load(), ["xray-cnn", "ct-cnn", "xray-cnn"], forced=True)
    (row,) = entered()
    shown = [row[name] for name in ("run_id", "recipes", "trigger", "state", "slot")]
    assert (*shown, bool(row["forced"])) == (run_id, "xray-cnn,ct-cnn", "hand", "waiting", None, True)


@pytest.mark.parametrize("name", ["no-such-recipe", "xray-student", "admission-cnn"])
def test_a_recipe_that_cannot_be_retrained_enters_nothing(name: str) -> None:
    with pytest.raises(TrainingError):
        enter_run(load(), [name])
    assert entered() == []


@pytest.mark.parametrize(("outcome", "decision"), [(RunOutcome.DONE, "held"), (RunOutcome.FAILED, None), (RunOutcome.SKIPPED, None)])
def test_a_run_is_followed_until_it_has_ended(outcome: RunOutcome, decision: str | None) -> None:
    settings = load()
    run_id = enter_run(settings, [])
    found: list[FollowedRun] = []
    follower = threading.Thread(target=lambda: found.extend(follow_run(settings, run_id, poll_seconds=0.02)))
    follower.start()
    engine = open_database(settings)
    with engine.begin() as connection:
        claim = claim_run(connection, run_id, "slot/boot/a")
        assert claim
        runs.note(connection, claim, {"step": "xray-cnn: 3 epochs done"})
    with engine.begin() as connection:
        runs.finish(connection, claim, outcome, "for a reason", decision)
    engine.dispose()
    follower.join(30)
    assert found[-1].progress == RunProgress(outcome, None, decision, "for a reason")
    assert [result.progress.has_ended for result in found] == [False] * (len(found) - 1) + [True]


def test_whether_a_worker_lives_is_followed_too() -> None:
    settings = load()
    follows = follow_run(settings, enter_run(settings, []), poll_seconds=0.02)
    assert next(follows).has_worker is False
    present = Presence.take(settings.layout.run, "training")
    assert next(follows).has_worker is True
    present.leave()
