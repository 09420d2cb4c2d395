"""Progress of long work on standard error: bars on a terminal, a plain line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from rich.console import Console

_LINE_SECONDS: Final = 10.0  # at least so long between two lines where there is no terminal


class Step(Protocol):
    """Tells that so many more steps are done."""

    def __call__(self, by: int = 1) -> None: ...


class Progress(Protocol):
    """Shows work of so many steps while a block runs: `steps` for people at a terminal, `silent` for others."""

    def __call__(self, name: str, total: int) -> AbstractContextManager[Step]: ...


@contextmanager
def silent(name: str, total: int) -> Iterator[Step]:
    """Shows nothing."""
    yield lambda by=1: None


@contextmanager
def steps(name: str, total: int) -> Iterator[Step]:
    """Shows `name` while the block runs; the block calls what it is given at each step."""
    console = _console()
    if not console.is_terminal:
        yield _Lines(name, total)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=total)
        yield lambda by=1: bar.advance(task, by)


def say(text: str) -> None:
    """One plain line; lost where it cannot be written, as on a full disk: that ends nothing that goes on without it."""
    with suppress(OSError):
        _console().print(text, highlight=False, markup=False, soft_wrap=True)


class _Lines:
    def __init__(self, name: str, total: int) -> None:
        self._name, self._total, self._done, self._said = name, total, 0, time.monotonic()

    def __call__(self, by: int = 1) -> None:
        self._done += by
        if time.monotonic() - self._said >= _LINE_SECONDS:
            self._said = time.monotonic()
            say(f"{self._name}: {self._done} of {self._total}")


def _console() -> "Console":
    from rich.console import Console

    return Console(stderr=True)
