"""What is known of a home: counts where there is a database, and whether its processes are ready."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from db import migrate, runs
from lungline.presence import Presence
from lungline.settings import PREFIX, load
from operations.status import HomeStatus, find_status


def status(processes: Sequence[str] = ()) -> HomeStatus:
    return find_status(processes, time.monotonic() + 3.0)


def test_a_database_is_read_though_nothing_ever_ran_here(home: Path) -> None:
    with migrate.open_database(load()).begin() as connection:
        run_id = runs.enter(connection, "hand")
    found = status()
    assert found.last_run is not None
    assert (found.files, found.last_run["run_id"]) == (0, run_id)
    assert not (home / "run").exists()


def test_named_process_is_ready_though_counts_fail(home: Path, broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}BROKER_URL", broker_url)
    presences = [Presence.take(home / "run", name) for name in ("watch", "flower", "inference-0", "training")]
    for presence in presences:
        presence.tell(ready=True)
    named, all_ = status(["watch"]), status()
    for presence in presences:
        presence.leave()
    assert (named.ready, all_.ready) == (True, False)
    assert (named.files, all_.files) == (None, None)


@pytest.mark.parametrize("made", [(), ("run",)])
def test_asking_makes_neither_a_home_nor_a_database(made: tuple[str, ...], home: Path) -> None:
    for name in made:
        (home / name).mkdir()
    assert status().files is None
    assert [path.name for path in home.iterdir()] == list(made)
