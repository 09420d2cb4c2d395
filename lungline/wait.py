"""Waiting: for the end of a process, and for events in the time that this process runs, since after a pause nothing is late at once."""

import signal
import threading
from collections.abc import Callable
from typing import Final

_STEP_SECONDS: Final = 1.0


def run_until_stopped(begin: Callable[[], None]) -> None:
    """Calls `begin`, then returns once SIGTERM or Ctrl-C came; to be called from the main thread."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    begin()
    while not ended.wait(3600.0):  # a wait without a bound cannot be interrupted everywhere
        pass


def wait_running_time(event: threading.Event, seconds: float) -> bool:
    """As `event.wait(seconds)`, but a pause of this process (SIGSTOP, a suspended machine) counts as a second at most; whoever was to set
    it is given the rest.

    Steps are counted, not the time that went by: a clock would have moved on during the pause.
    """
    steps = int(seconds // _STEP_SECONDS)
    return any(event.wait(_STEP_SECONDS) for _ in range(steps)) or event.wait(seconds - steps * _STEP_SECONDS)
