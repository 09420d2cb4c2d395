import resource
import subprocess
import sys
import threading

import pytest
from typer.testing import CliRunner

from cli import main
from lungline import __version__
from lungline.errors import LunglineError


def _lungline(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "cli", *arguments], capture_output=True, text=True, timeout=300, check=False)


def test_help_takes_less_than_a_second_of_cpu() -> None:
    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = spent()
    assert _lungline("--help").returncode == 0
    assert spent() - before < 1.0


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


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "command",
    [
        ("models", "promote", "\udcff", "--by", "x", "--why", "x"),
        ("models", "export", "\udcff", "--format", "onnx"),
        ("models", "show", "\udcff"),
        ("train", "--from-run", "\udcff"),
        ("user", "remove", "\udcff"),
        ("show", "\udcff"),
        ("study", "finish", "\udcff"),
        ("deliver", "retry", "\udcff"),
    ],
    ids=" ".join,
)
def test_an_argument_that_is_no_text_is_not_found(command: tuple[str, ...]) -> None:
    said = CliRunner().invoke(main.app, list(command))
    assert isinstance(said.exception, LunglineError), said.exception
