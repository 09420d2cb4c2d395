"""Retraining from outside: a schedule that comes due while scans keep flowing, with the worker killed and Redis restarted on the way."""

import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.drops import good
from tests.acceptance.stack import Stack, processes_of
from tests.drawn_data_set import draw_data_set
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

_MINUTES = 25


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("retraining")
    due = datetime.now(UTC) + timedelta(minutes=4)
    settings = {
        "TRAINING_DATA": str(draw_data_set(folder / "data")),
        "RETRAIN_CRON": f"{due.minute} {due.hour} * * *",
        "RETRAIN_RECIPES": "xray-cnn",
    }
    stack = Stack(folder / "home", **settings)
    yield stack
    stack.end()
    assert processes_of(stack.home) == []


def last(stack: Stack) -> dict[str, Any]:
    """The run that was entered last."""
    rows = stack.query("SELECT * FROM training_runs ORDER BY entered_at DESC, run_id DESC LIMIT 1")
    return rows[0] if rows else {"state": None, "epochs_done": 0}


def flower(stack: Stack, page: str) -> str:
    password = (stack.home / "secrets" / "flower.password").read_text().strip()
    request = urllib.request.Request(stack.status()["flower"] + page)
    request.add_header("Authorization", "Basic " + b64encode(f"admin:{password}".encode()).decode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.read().decode())


@dataclass(frozen=True)
class Promoted:
    run: dict[str, Any]
    shipped: str
    champion: str


@pytest.fixture(scope="module")
def promoted(stack: Stack) -> Promoted:
    """What the schedule made while scans flowed, its worker was killed and Redis restarted: the tests below begin here, in any order."""
    stack.up()
    assert stack.status()["next_run_at"]
    shipped = champion(stack)
    wait_for(lambda: last(stack)["epochs_done"] >= 3, "three epochs", 60 * _MINUTES)
    wait_for(lambda: "PROGRESS" in flower(stack, "/api/tasks?taskname=lungline.retrain"), "shown by Flower", 300)
    for drop in good(12, seed=5):
        path = stack.inbox / drop.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drop.data)
    stack.kill("training")
    stack.kill("redis")
    wait_for(lambda: last(stack)["state"] not in (None, "waiting", "running"), "ended", 60 * _MINUTES)
    return Promoted(last(stack), shipped, champion(stack))


def test_the_schedule_trains_and_promotes_whatever_is_killed(stack: Stack, promoted: Promoted) -> None:
    run = promoted.run
    assert run["decision"] == "promoted", run["reason"]
    assert run["trigger"] == "schedule"
    assert run["slot"]
    assert run["resumed"] >= 1
    assert len(stack.query("SELECT * FROM training_runs WHERE trigger = 'schedule'")) == 1
    assert promoted.champion != promoted.shipped
    stack.await_verdicts(12)
    stack.has_all_accounted()
    wait_for(lambda: promoted.champion in (stack.home / "logs" / "inference-0.log").read_text(), "taken up", 300)
    read = stack.query("SELECT ensemble FROM scan_history GROUP BY ensemble, scan_id HAVING count(*) > 1")
    assert read == []
    clauses = stack.query("SELECT * FROM gate_clauses WHERE run_id = :id", id=run["run_id"])
    assert {"macro_auroc", "brier", "covid19_sensitivity", "shuffled_labels"} <= {row["clause"] for row in clauses}
    report = stack.home / "reports" / run["run_id"] / "index.html"
    assert "macro_auroc" in report.read_text()


def test_the_same_run_gives_the_same_weights(stack: Stack, promoted: Promoted) -> None:
    result = stack.run("train", "--from-run", promoted.run["run_id"], timeout=60 * _MINUTES)
    assert result.returncode == 0, result.stderr
    assert "the same weights" in result.stdout, result.stdout


def test_skips_without_new_data_and_refuses_harmful_challenger(stack: Stack, promoted: Promoted) -> None:
    champions = champion(stack)
    result = stack.run("retrain", "--now", timeout=300)
    assert result.returncode == 1
    assert last(stack)["state"] == "skipped"
    draw_data_set(Path(stack.settings["TRAINING_DATA"]), wrong=("train", "val"))
    result = stack.run("retrain", "--now", timeout=60 * _MINUTES)
    assert result.returncode == 0, result.stderr
    assert (last(stack)["decision"], champion(stack)) == ("refused", champions)


def test_the_way_back_is_one_command(stack: Stack, promoted: Promoted) -> None:
    done = stack.run("models", "rollback", "--modality", "xray", "--by", "dr no", "--why", "a trial")
    assert done.returncode == 0, done.stderr
    assert champion(stack) == promoted.shipped
    stack.has_all_accounted()


def champion(stack: Stack) -> str:
    query = "SELECT version FROM model_versions WHERE kind = 'ensemble' AND name = 'xray' AND state = 'champion'"
    return str(stack.query(query)[0]["version"])
