"""A poison item costs itself its place, and no other; an outage is nobody's fault."""

from collections.abc import Sequence

import pytest

from lungline.errors import LedgerError, StoreError
from lungline.halves import by_halves


def is_away(error: Exception) -> bool:
    return isinstance(error, (LedgerError, StoreError))


@pytest.mark.parametrize("poison", [set(), {0}, {4}, {1, 2, 7}, set(range(8))])
def test_a_batch_is_halved_until_the_poison_is_alone(poison: set[int]) -> None:
    def step(values: Sequence[int]) -> list[str]:
        if poison.intersection(values):
            raise ValueError
        return [f"{item} done" for item in values]

    said = by_halves(step, list(range(8)), lambda item, error: f"{item} {type(error).__name__}", is_away)
    assert said == [f"{item} {'ValueError' if item in poison else 'done'}" for item in range(8)]


@pytest.mark.parametrize("error", [LedgerError("away"), StoreError("away")])
def test_nobody_is_blamed_for_a_database_or_store_that_is_away(error: Exception) -> None:
    def step(_: Sequence[int]) -> list[str]:
        raise error

    with pytest.raises(type(error)):
        by_halves(step, [1, 2], lambda item, _: str(item), is_away)


def test_no_item_is_no_step() -> None:
    assert by_halves(lambda _: ["a step"], [], lambda item, _: str(item), is_away) == []
