"""Several threads for what waits for the disk: to hash a file, to sync it, to move it."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

_THREADS = 6

T = TypeVar("T")
R = TypeVar("R")


class DiskThreads:
    """Any thread may ask them for something; who asks waits until it is done."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="disk")

    def run_for_each(self, step: Callable[[T], R], values: Iterable[T]) -> list[R]:
        """Does something for each of many; raises what it raised for one of them, after all were tried."""
        every = list(values)
        size = max(1, -(-len(every) // (4 * _THREADS)))  # some at a time: to pass a task to a thread costs as much as the task
        tasks = [self._threads.submit(_run_all, step, every[start : start + size]) for start in range(0, len(every), size)]
        wait(tasks)
        return [result for task in tasks for result in task.result()]

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown()


def _run_all(step: Callable[[T], R], values: list[T]) -> list[R]:
    results: list[R] = []
    failed: Exception | None = None
    for value in values:
        try:
            results.append(step(value))
        except Exception as error:
            failed = error
    if failed is not None:
        raise failed
    return results
