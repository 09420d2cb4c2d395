"""A batch that fails is tried by halves, until the item that fails it is alone: it costs no other its place."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def by_halves(
    step: Callable[[Sequence[T]], list[R]], items: Sequence[T], alone: Callable[[T, Exception], R], is_outage: Callable[[Exception], bool]
) -> list[R]:
    """What `step` returns for all items, in their order.

    Args:
        step: takes any number of items; of one that fails, nothing remains.
        items: possibly none.
        alone: answers for an item that fails by itself.
        is_outage: whether no item is to blame for an error, which is raised then.
    """
    if not items:
        return []
    try:
        return step(items)
    except Exception as error:
        if is_outage(error):
            raise
        if len(items) == 1:
            return [alone(items[0], error)]
    middle = len(items) // 2
    return by_halves(step, items[:middle], alone, is_outage) + by_halves(step, items[middle:], alone, is_outage)
