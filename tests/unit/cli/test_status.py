"""`lungline status`: its object within 5 s, whatever hangs."""

import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from db import migrate, runs
from lungline.presence import Presence
from lungline.settings import PREFIX, load


def test_broker_that_never_finishes_a_reply_does_not_block(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def drip(server: socket.socket) -> None:
        with suppress(OSError):  # whoever asked has gone, or never came
            client, _ = server.accept()
            with client:
                while not ended.wait(0.3):
                    client.send(b"+")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        monkeypatch.setenv(f"{PREFIX}BROKER_URL", f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        migrate.open_database(load()).dispose()
        present: list[Presence] = []  # let go of, a presence ends
        for name in ("watch", "flower", "inference-0"):
            present.append(Presence.take(home / "run", name))
            present[-1].tell(ready=True)
        began = time.monotonic()
        try:
            said = subprocess.run([sys.executable, "-m", "cli", "status"], capture_output=True, timeout=20, check=False)
        finally:
            ended.set()
    assert time.monotonic() - began < 5
    assert json.loads(said.stdout)["ready"] is False
    assert said.returncode == 1


@pytest.mark.parametrize("module", ["", "pydantic", "sqlalchemy"])
def test_a_machine_on_which_all_is_slow_does_not_hold_it(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter takes two seconds to start, a library a minute to be imported, and the database never answers."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, time\ntime.sleep(2)\n"
        "class Slow:\n    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: time.sleep(60)\n"
        "sys.meta_path.insert(0, Slow())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(f"{PREFIX}DATABASE_URL", f"postgresql://lungline@127.0.0.1:{silent.getsockname()[1]}/lungline")
        began = time.monotonic()
        said = subprocess.run([sys.executable, "-m", "cli", "status"], capture_output=True, timeout=30, check=False)
        took = time.monotonic() - began
    assert took < 5
    assert said.returncode == 1
    told = json.loads(said.stdout)
    assert (told["ready"], told["files"]) == (False, None)
    assert (told["inbox"] is None) == (module == "pydantic")


def test_a_setting_that_makes_no_sense_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}BATCH_MAX", "many")
    said = subprocess.run([sys.executable, "-m", "cli", "status"], capture_output=True, timeout=60, check=False, text=True)
    assert (said.returncode, said.stdout) == (1, "")
    assert "LUNGLINE_BATCH_MAX" in said.stderr


def test_a_database_is_read_though_nothing_ever_ran_here(home: Path) -> None:
    with migrate.open_database(load()).begin() as connection:
        run_id = runs.enter(connection, "hand")
    said = json.loads(CliRunner().invoke(app, ["status"]).stdout)
    assert (said["files"], said["last_run"]["run_id"]) == (0, run_id)
    assert not (home / "run").exists()


def test_named_process_is_ready_though_counts_fail(home: Path, broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}BROKER_URL", broker_url)
    presences = [Presence.take(home / "run", name) for name in ("watch", "flower", "inference-0", "training")]
    for presence in presences:
        presence.tell(ready=True)
    named, all_ = (CliRunner().invoke(app, ["status", *names]) for names in (["watch"], []))
    for presence in presences:
        presence.leave()
    assert (named.exit_code, all_.exit_code) == (0, 1)
    assert [json.loads(said.stdout)["ready"] for said in (named, all_)] == [True, False]
    assert [json.loads(said.stdout)["files"] for said in (named, all_)] == [None, None]


@pytest.mark.parametrize("made", [(), ("run",)])
def test_asking_makes_neither_a_home_nor_a_database(made: tuple[str, ...], home: Path) -> None:
    for name in made:
        (home / name).mkdir()
    said = json.loads(CliRunner().invoke(app, ["status"]).stdout)
    assert said["files"] is None
    assert [path.name for path in home.iterdir()] == list(made)
