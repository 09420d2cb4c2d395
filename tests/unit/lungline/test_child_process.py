"""A child is asked once and answers once; whatever it does instead ends as one typed error, and nothing of it is left."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from lungline.child_process import ChildProcess, ask
from lungline.errors import ChildError
from tests.waiting import wait_for


class Number(BaseModel):
    value: int


CHILD = """
import os, subprocess, sys, time
from pydantic import BaseModel
from lungline.child_process import answer_parent
from lungline.errors import ModelError

class Number(BaseModel):
    value: int

def work(asked: Number) -> Number:
    {work}

print("chatter of a library")
answer_parent(Number, work)
"""

Made = Callable[[str], str]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Writes a module whose child does what a test says; its name."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), os.getcwd())))

    def make(work: str) -> str:
        (tmp_path / "some_child.py").write_text(CHILD.format(work=work))
        return "some_child"

    return make


def test_a_question_is_answered(module: Made) -> None:
    assert ask(module("return Number(value=asked.value + 1)"), Number(value=1), Number, seconds=60) == Number(value=2)


def test_a_child_gets_variables_of_its_own(module: Made) -> None:
    name = module("return Number(value=int(os.environ['OF_THE_CHILD']))")
    assert ask(name, Number(value=1), Number, seconds=60, environment={"OF_THE_CHILD": "7"}) == Number(value=7)
    assert "OF_THE_CHILD" not in os.environ


@pytest.mark.parametrize(
    ("work", "kind", "sentence"),
    [
        ("raise ModelError('Restore it.')", "ModelError", "Restore it."),
        ("raise OSError('words that quote a file')", "OSError", None),
        ("sys.exit(3)", "exit 3", None),
        ("os.kill(os.getpid(), 9)", "exit -9", None),
        ("print('nothing', flush=True); os._exit(0)", "no answer", None),
        ("asked.value = 'text'; return asked", "no answer", None),
    ],
)
def test_what_is_no_answer_is_an_error(module: Made, work: str, kind: str, sentence: str | None) -> None:
    with pytest.raises(ChildError) as raised:
        ask(module(work), Number(value=1), Number, seconds=60)
    assert (raised.value.kind, raised.value.sentence) == (kind, sentence)


def test_a_child_that_takes_too_long_ends_with_its_own(module: Made, tmp_path: Path) -> None:
    name = module(f"open({str(tmp_path / 'pid')!r}, 'w').write(str(subprocess.Popen(['sleep', '600']).pid)); time.sleep(600)")
    with ChildProcess(name, Number(value=1), Number) as child:
        assert child.wait(0.01) is None
        wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "a grandchild", 60)
    grandchild = int((tmp_path / "pid").read_text())
    wait_for(lambda: not is_running(grandchild), "the grandchild's end", 20)
    with pytest.raises(ChildError, match="TimeoutError"):
        ask(name, Number(value=1), Number, seconds=0.01)


def test_an_answer_is_waited_for_in_steps(module: Made) -> None:
    with ChildProcess(module("time.sleep(0.3); return asked"), Number(value=1), Number) as child:
        deadline = time.monotonic() + 60
        while (answer := child.wait(0.02)) is None:
            assert time.monotonic() < deadline
    assert answer == Number(value=1)


def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ChildError, match="FileNotFoundError"):
        ChildProcess("lungline", Number(value=1), Number, prefix=("/nowhere/ionice",))


def is_running(pid: int) -> bool:
    """A process that ended but was not collected does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
