"""`lungline status`: its object within 5 s, whatever hangs."""

import json
import os
import pty
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from db import migrate
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
    printed = json.loads(said.stdout)
    assert (printed["ready"], printed["files"]) == (False, None)
    if module == "pydantic":  # else the settings are known in time, unless the machine has much else to do
        assert printed["inbox"] is None


def test_a_setting_that_makes_no_sense_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}BATCH_MAX", "many")
    said = subprocess.run([sys.executable, "-m", "cli", "status"], capture_output=True, timeout=60, check=False, text=True)
    assert (said.returncode, said.stdout) == (1, "")
    assert "LUNGLINE_BATCH_MAX" in said.stderr


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_pipe_gets_one_line(options: list[str]) -> None:
    said = subprocess.run([sys.executable, "-m", "cli", "status", *options], capture_output=True, timeout=60, check=False, text=True)
    assert said.stdout.count("\n") == 1
    assert json.loads(said.stdout)["ready"] is False


@pytest.mark.parametrize(("options", "is_indented"), [([], True), (["--json"], False)])
def test_a_terminal_gets_one_line_for_json_alone(options: list[str], is_indented: bool) -> None:
    ours, theirs = pty.openpty()
    said = subprocess.run([sys.executable, "-m", "cli", "status", *options], stdout=theirs, timeout=60, check=False)
    shown = os.read(ours, 1 << 16).decode()
    for descriptor in (ours, theirs):
        os.close(descriptor)
    assert said.returncode == 1
    assert json.loads(shown)["ready"] is False
    assert (len(shown.splitlines()) > 1) is is_indented
