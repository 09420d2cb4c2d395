"""What nobody reckoned with stops nothing."""

import threading

import pytest

from lungline.errors import StoreError
from watcher.faults import Guard, until_possible


def test_a_step_that_fails_is_logged_once_and_its_loop_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    guard, errors = Guard(), iter([KeyError("Doe^John"), KeyError("Doe^John"), None, KeyError("Doe^John"), TypeError("Doe^John")])

    def step() -> int:
        if (error := next(errors)) is not None:
            raise error
        return 1

    assert [guard.run("walk", step, 0) for _ in range(5)] == [0, 0, 1, 0, 0]
    said = capsys.readouterr().out
    assert said.count("a step of the watcher failed") == 3
    assert "Doe" not in said


def test_waiting_ends_when_told_to() -> None:
    stop = threading.Event()

    def step() -> int:
        stop.set()
        raise StoreError("away")

    assert until_possible(step, stop) is None
