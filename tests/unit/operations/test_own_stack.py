"""A process of its own for one command: ready while the block runs, gone after it, and given up with a word where it does not get ready."""

import sys
from pathlib import Path

import pytest

from db import migrate
from lungline.settings import PREFIX, load
from operations.own_stack import Process, StackError, asking, settings_for, started, wait_for

_SLEEPS = [sys.executable, "-c", "import time; print('hello', flush=True); time.sleep(600)"]


def test_settings_that_lead_to_real_scans_are_not_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}BATCH_MAX", "7")
    monkeypatch.setenv(f"{PREFIX}INBOX", str(tmp_path / "real"))
    settings = settings_for(tmp_path / "own")
    assert (settings.batch_max, settings.inbox) == (7, tmp_path / "own" / "inbox")


def test_a_process_runs_in_the_block_and_not_after_it() -> None:
    settings = load()
    log = settings.layout.logs / "sleeper.log"
    with started(_SLEEPS, settings, "sleeper", lambda: log.exists() and log.read_text() == "hello\n") as process:
        assert process.poll() is None
    assert process.poll() is not None


def test_one_that_ends_is_not_waited_for_and_its_log_is_named() -> None:
    with (
        pytest.raises(StackError, match=r"`loser` did not get ready; see .*logs/loser\.log"),
        started([sys.executable, "-c", ""], load(), "loser", lambda: False),
    ):
        pytest.fail("ready")


def test_waiting_ends_only_when_progress_stops() -> None:
    came: list[int] = []

    def count() -> int:  # one more each time it is looked at, until three have come
        if len(came) < 3:
            came.append(1)
        return len(came)

    def wait(process: Process) -> None:
        wait_for(count, 3, process, "", patience=0.0)
        with pytest.raises(StackError, match="only three"):
            wait_for(count, 4, process, "only three", patience=0.2)

    with started(_SLEEPS, load(), "sleeper", lambda: True) as process:
        wait(process)


def test_a_number_is_asked_of_the_database() -> None:
    settings = load()
    migrate.open_database(settings).dispose()
    with asking(settings) as ask:
        assert ask("SELECT count(*) FROM files") == 0
        assert ask("SELECT :one + 1", one=1) == 2
        assert ask("SELECT max(id) FROM files") == 0  # of none
