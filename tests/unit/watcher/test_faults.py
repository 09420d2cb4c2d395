"""What nobody reckoned with stops nothing."""

import threading

import pytest

from lungline.errors import LedgerError, StoreError
from watcher.faults import Guard, halve, until_possible


@pytest.mark.parametrize("poison", [set(), {0}, {4}, {1, 2, 7}, set(range(8))])
def test_a_batch_is_halved_until_the_poison_is_alone(poison: set[int]) -> None:
    def step(items: list[int]) -> list[str]:
        if poison.intersection(items):
            raise ValueError
        return [f"{item} done" for item in items]

    said = halve(step, list(range(8)), lambda item, error: f"{item} {type(error).__name__}")
    assert said == [f"{item} {'ValueError' if item in poison else 'done'}" for item in range(8)]


@pytest.mark.parametrize("error", [LedgerError("away"), StoreError("away")])
def test_nobody_is_blamed_for_a_database_or_store_that_is_away(error: Exception) -> None:
    def step(_: list[int]) -> list[str]:
        raise error

    with pytest.raises(type(error)):
        halve(step, [1, 2], lambda item, _: str(item))


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
