"""Progress of long work: bars on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_console = Console(stderr=True)


@contextmanager
def steps(name: str, total: int) -> Iterator[Callable[[], None]]:
    """Shows `name` while the block runs; the block calls what it is given once a step."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console, transient=True, disable=not _console.is_terminal) as bar:
        task = bar.add_task(name, total=total)
        yield lambda: bar.advance(task)


def say(text: str) -> None:
    """One plain line."""
    _console.print(text, highlight=False, markup=False, soft_wrap=True)
