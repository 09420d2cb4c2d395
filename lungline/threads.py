"""A thread that takes one step again and again until it is stopped, whatever a step raises."""

import threading
from collections.abc import Callable

from lungline.failures import Failures


class Repeating:
    """Calls `step` every `every` seconds, or when woken. What a step raises is logged once, not each time; then it goes on."""

    def __init__(self, name: str, every: float, step: Callable[[], float | None], failing: str) -> None:
        """Does nothing yet.

        Args:
            name: of the thread.
            every: seconds between two steps.
            step: what is repeated; it may return the seconds to the next step, if that is to come sooner or later.
            failing: what the log says cannot be done while steps fail.
        """
        self._name = name
        self._every = every
        self._step = step
        self._failures = Failures(failing, "goes on")
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called: a long step looks at this now and then."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Begins, with a first step at once."""
        self._thread.start()

    def wake(self) -> None:
        """The next step is due now."""
        self._wake.set()

    def stop(self, timeout: float = 15.0) -> None:
        """Ends after the step under way, for which it waits `timeout` seconds at most."""
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = self._take_step()
            self._wake.wait(self._every if pause is None else pause)
            self._wake.clear()

    def _take_step(self) -> float | None:
        try:
            pause = self._step()
        except Exception as error:  # without this thread something would stop for good
            self._failures.note(self._name, error)
            return None
        self._failures.end(self._name)
        return pause
