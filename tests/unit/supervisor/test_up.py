import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lungline.presence import Presence
from lungline.settings import load
from supervisor import up


def test_a_second_up_on_one_home_is_refused_and_starts_nothing(home: Path) -> None:
    held = Presence.take(home / "run", "up")
    said = subprocess.run([sys.executable, "-m", "cli", "up"], capture_output=True, text=True, timeout=300, check=False)
    held.leave()
    assert said.returncode == 1
    assert said.stderr.strip() == "lungline: `up` already runs on this home; see `lungline status`."
    assert not (home / "lungline.db").exists()
    assert not (home / "logs").exists()


def test_folders_are_closed_to_others_but_for_the_inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_HOME", str(tmp_path / "new"))
    before = os.umask(0o022)
    try:
        up.make_folders(load())
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / "new" / name).stat().st_mode) for name in ("", "inbox", "store")}
    assert modes == {"": 0o700, "inbox": 0o755, "store": 0o700}


def test_our_own_server_comes_first() -> None:
    assert [child.name for child in up.children(load())] == ["redis", "watch", "inference-0", "training", "flower", "web"]


def test_no_server_of_our_own_where_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", "redis://elsewhere/0")
    assert "redis" not in [child.name for child in up.children(load())]


def test_the_greeting_names_the_receiver_where_there_is_one(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    up.greet(load())
    assert "receiver" not in capfd.readouterr().out
    monkeypatch.setenv("LUNGLINE_DICOM_PORT", "11112")
    up.greet(load())
    assert "  receiver  127.0.0.1 port 11112, AE title LUNGLINE" in capfd.readouterr().out
