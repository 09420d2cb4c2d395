import subprocess
import sys
import threading
import time

import pytest

from cli import main
from lungline import __version__


def _lungline(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "cli", *arguments], capture_output=True, text=True, timeout=300, check=False)


def test_help_answers_in_under_a_second() -> None:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        assert _lungline("--help").returncode == 0
        times.append(time.perf_counter() - began)
    assert min(times) < 1.0  # the quickest, since other work may share the machine


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, cli.main; print(*sorted({'celery', 'keras', 'numpy', 'pydantic', 'sqlalchemy', 'tensorflow'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert said.stdout.strip() == ""


def test_wrong_usage_exits_2() -> None:
    assert _lungline("no-such-command").returncode == 2
    assert _lungline("settings", "--no-such-option").returncode == 2
    assert _lungline("quarantine", "release", "--reason", "no_such_reason").returncode == 2
    assert _lungline("key", " ").returncode == 2


def test_version_is_told() -> None:
    assert _lungline("--version").stdout == f"Lungline {__version__}\n"


def test_what_is_wrong_is_said_and_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BATCH_MAX", "a few")
    said = _lungline("settings")
    assert said.returncode == 1
    assert said.stderr.startswith("lungline: LUNGLINE_BATCH_MAX")
    assert "Traceback" not in said.stderr


def test_an_unexpected_error_is_told_without_its_words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    name = "/inbox/DOE^JOHN.dcm"

    def fail() -> None:
        raise FileNotFoundError(2, "No such file", name)

    monkeypatch.setattr(main, "app", fail)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # `main` sets it for its whole process
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "lungline: unexpected FileNotFoundError" in said
    assert "test_main.py" in said
    assert "DOE" not in said
