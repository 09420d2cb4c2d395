import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cli import up
from lungline.presence import Presence
from lungline.settings import load

_COUNTS: dict[str, int | float | None] = {
    "files": 7,
    "accepted": 5,
    "duplicates": 1,
    "refused": 1,
    "scans": 5,
    "waiting": 2,
    "reading": 1,
    "done": 2,
    "quarantined": 0,
    "oldest_waiting_seconds": 12.4,
}


def test_a_second_up_on_one_home_is_refused_and_starts_nothing(home: Path) -> None:
    held = Presence.take(home / "run", "up")
    said = subprocess.run([sys.executable, "-m", "cli", "up"], capture_output=True, text=True, timeout=30, check=False)
    held.leave()
    assert said.returncode == 1
    assert said.stderr.strip() == "lungline: `up` already runs on this home; see `lungline status`."
    assert not (home / "lungline.db").exists()
    assert not (home / "logs").exists()


def test_folders_are_closed_to_others_but_for_the_inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_HOME", str(tmp_path / "new"))
    before = os.umask(0o022)
    try:
        up._make_folders(load())
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / "new" / name).stat().st_mode) for name in ("", "inbox", "store")}
    assert modes == {"": 0o700, "inbox": 0o755, "store": 0o700}


def test_our_own_server_comes_first() -> None:
    assert [child.name for child in up._children(load())] == ["redis", "watch", "inference-0", "training", "flower"]


def test_no_server_of_our_own_where_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", "redis://elsewhere/0")
    assert "redis" not in [child.name for child in up._children(load())]


def test_the_live_line() -> None:
    assert up._sentence(_COUNTS, ready=True) == (
        "running · 7 files · 2 waiting · 1 reading · 2 done · 0 quarantined · 1 duplicates · 1 refused · the oldest has waited 12 s"
    )
    assert up._sentence(None, ready=False) == "starting"
    assert up._sentence(None, ready=True) == "running · the database does not answer"


def test_lines_come_when_counts_have_changed_and_not_too_often(capsys: pytest.CaptureFixture[str]) -> None:
    lines = up._Lines()
    lines.show(None)
    lines.show(_COUNTS)
    lines.show({**_COUNTS, "oldest_waiting_seconds": 13.0})
    lines.show({**_COUNTS, "done": 3})
    said = capsys.readouterr()
    assert (said.out + said.err).count("counts") == 1
    assert json.dumps(_COUNTS["done"]) in said.out + said.err
