"""Fixtures of the acceptance tests: running stacks, and files to drop."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack, processes_of


@pytest.fixture(scope="module")
def make_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Stack]]:
    """Makes stacks on homes of their own; stops what still runs, and leaves no process behind."""
    made: list[Stack] = []

    def make(**settings: str) -> Stack:
        stack = Stack(tmp_path_factory.mktemp("stack") / "home", **settings)
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.end()


@pytest.fixture
def no_process_left() -> Callable[[Path], list[str]]:
    """What still runs of a home."""
    return processes_of
