"""One bad file or step never stops the watcher: an unexpected error is logged by its type, and costs its own place alone."""

import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

from lungline.errors import LedgerError, LunglineError, StoreError
from lungline.failures import Failures

T = TypeVar("T")

log = structlog.get_logger()


class Guard:
    """Runs the steps of a loop that must go on."""

    def __init__(self) -> None:
        self._failures = Failures("a step of the watcher failed, and is tried again", "a step of the watcher goes on")

    def run(self, name: str, step: Callable[[], T], otherwise: T) -> T:
        """What `step` returns, or `otherwise` if it fails; that is logged once, until the step succeeds or fails in another way."""
        try:
            result = step()
        except Exception as error:
            self._failures.note(name, error)
            return otherwise
        self._failures.end(name)
        return result


def is_away(error: Exception) -> bool:
    """Whether database or store are away, so that no file is to blame."""
    return isinstance(error, (LedgerError, StoreError))


def until_possible(step: Callable[[], T], stop: threading.Event) -> T | None:
    """Repeats a step that needs database or store until they are to be had; None if `stop` is set first."""
    pause = 1.0
    while True:
        try:
            return step()
        except (LedgerError, StoreError, OSError) as error:
            advice = str(error) if isinstance(error, LunglineError) else type(error).__name__
            log.warning("waiting for database or store", advice=advice, seconds=pause)
        if stop.wait(pause):
            return None
        pause = min(pause * 2, 30.0)
