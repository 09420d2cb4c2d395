"""The training worker as a process of its own, on a real Redis: it answers, it stops at once, and it leaves no training behind."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db import migrate, runs
from db.writer import Writer
from jobs.app import make_app
from jobs.dispatcher import Dispatcher
from lungline.layout import Store
from lungline.presence import live
from lungline.processes import own_command
from lungline.settings import load
from tests.acceptance.stack import processes_of
from tests.drawn_data_set import draw_data_set
from tests.waiting import wait_for
from workers import catalogue

CHILD = "workers.training_child"

pytestmark = pytest.mark.timeout(900)


class Ledger:
    """The home's database, with a dispatcher that rings."""

    def __init__(self) -> None:
        settings = load()
        self._engine = migrate.open_database(settings)
        self._writer = Writer(self._engine)
        with self._engine.begin() as connection:
            catalogue.enter(connection, Store(settings.store).models)
        self._dispatcher = Dispatcher(make_app(settings), self._writer, settings.schedule)
        self._dispatcher.start()

    def enter(self, **how: Any) -> str:
        run_id = str(self._writer.do(runs.enter, "hand", ("xray-cnn",), **how))
        self._dispatcher.wake()
        return run_id

    def run(self, run_id: str) -> dict[str, Any]:
        with self._engine.connect() as connection:
            query = text("SELECT * FROM training_runs WHERE run_id = :id")
            return dict(connection.execute(query, {"id": run_id}).mappings().one())

    def close(self) -> None:
        self._dispatcher.stop()
        self._writer.close()
        self._engine.dispose()


@pytest.fixture
def ledger(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", broker_url)
    made = Ledger()
    yield made
    made.close()


@pytest.fixture
def work(ledger: Ledger, home: Path) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Starts a training worker, and waits until it is ready."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen(own_command("work", "training"), stderr=subprocess.DEVNULL))
        wait_for(lambda: live(home / "run").get("training", (0, False))[1], "ready", 240)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(20)


def children(home: Path) -> list[str]:
    return [command for command in processes_of(home) if CHILD in command]


def test_a_run_by_the_doorbell_to_its_end(ledger: Ledger, work: Callable[[], "subprocess.Popen[bytes]"]) -> None:
    waits = ledger.enter()  # before anybody listens
    work()
    wait_for(lambda: ledger.run(waits)["state"] == "skipped", "skipped", 240)
    assert "LUNGLINE_TRAINING_DATA" in ledger.run(waits)["reason"]
    forced = ledger.enter(forced=True)
    wait_for(lambda: ledger.run(forced)["state"] == "failed", "failed", 240)


def test_run_of_a_killed_worker_goes_on_with_the_next(
    ledger: Ledger, work: Callable[[], "subprocess.Popen[bytes]"], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(draw_data_set(home.parent / "data")))
    run_id = ledger.enter()
    worker = work()
    wait_for(lambda: children(home), "a training process", 240)
    worker.kill()
    worker.wait(20)
    wait_for(lambda: not children(home), "gone with its worker", 60)
    assert ledger.run(run_id)["state"] == "running"  # nobody has noticed yet
    repeated = work()
    wait_for(lambda: ledger.run(run_id)["resumed"] == 1, "resumed", 240)
    wait_for(lambda: children(home), "a training process", 240)
    assert niceness(home) == {19}
    repeated.send_signal(signal.SIGTERM)
    assert repeated.wait(60) == 0
    assert children(home) == []
    result = ledger.run(run_id)
    assert (result["state"], result["decision"]) == ("waiting", None)


def niceness(home: Path) -> set[int]:
    """Of the training processes, and of their sessions where the kernel has autogroups, once they have asked for it."""

    def asked() -> set[int]:
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                ours = f"LUNGLINE_HOME={home}".encode() in (process / "environ").read_bytes().split(b"\0")
                if ours and CHILD.encode() in (process / "cmdline").read_bytes():
                    found.add(os.getpriority(os.PRIO_PROCESS, int(process.name)))
                    if (group := process / "autogroup").exists():
                        found.add(int(group.read_text().split()[-1]))
            except OSError:
                continue
        return found

    wait_for(lambda: asked() == {19}, "nice", 60)
    return asked()
