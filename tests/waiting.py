"""Waiting for what other processes and threads do: never longer than a bound, and never by sleeping alone."""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def wait_for(happened: Callable[[], _T], what: str = "it", seconds: float = 180.0) -> _T:
    """Asks again and again until the answer is true, and returns it. The bound is for what hangs, not for what a busy machine delays.

    Raises:
        TimeoutError: it did not happen in time; names `what`.
    """
    deadline = time.monotonic() + seconds
    while not (found := happened()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.02)
    return found
