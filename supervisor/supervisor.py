"""The supervisor behind `lungline up`: starts processes, restarts those that die, and leaves none behind, whatever ends it."""

import ctypes
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from lungline.errors import LunglineError
from supervisor.child import Child

_TRIM_SECONDS: Final = 60
_STOP_SECONDS: Final = 20.0
_STOP_BASE_SECONDS: Final = 4.0  # once the others have gone

_STOP_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_PR_SET_CHILD_SUBREAPER: Final = 36

_log = structlog.get_logger()


class Supervisor:
    """To be used from the main thread alone: Linux ends children together with the thread that started them."""

    def __init__(self, run: Path, logs: Path) -> None:
        """Takes over the signals that ask this process to stop; from now on `tend` reports them."""
        self._run = run
        self._logs = logs
        self._children: list[Child] = []
        self._trimmed = time.monotonic()
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._signals = _signal_pipe()
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)

    def add(self, child: Child) -> None:
        """Starts a child, and keeps it alive from then on.

        Raises:
            LunglineError, OSError: it cannot be started.
        """
        child.start(self._run, self._logs)
        self._children.append(child)

    def tend(self, seconds: float) -> bool:
        """Waits for up to `seconds`, then reaps the dead and restarts those whose pause is over.

        Returns:
            False once this process has been asked to stop.
        """
        if self._wait(seconds) & _STOP_SIGNALS:
            return False
        for child, exit_code in self._reap():
            pause = child.note_end()
            _log.warning("process ended", name=child.name, exit=exit_code, starts_again_in_seconds=pause, log=str(child.log(self._logs)))
        self._kill_orphans()
        for child in self._children:
            if child.pid:
                child.update_presence()
            elif time.monotonic() >= child.due:
                self._restart(child)
        if time.monotonic() - self._trimmed >= _TRIM_SECONDS:
            self._trimmed = time.monotonic()
            for child in self._children:
                child.trim_log(self._logs)
        return True

    def stop(self, patience_seconds: float = _STOP_SECONDS) -> None:
        """Sends SIGTERM in reverse order, and SIGKILL to those that take too long; the base follows when the others have gone."""
        for base, patience in ((False, patience_seconds), (True, _STOP_BASE_SECONDS)):
            leaving = [child for child in reversed(self._children) if child.base is base]
            for child in leaving:
                child.terminate()
            deadline = time.monotonic() + patience
            while any(child.pid for child in leaving) and time.monotonic() < deadline:
                self._wait(0.1)
                self._forget_ended()
            for child in leaving:
                child.kill()
        deadline = time.monotonic() + 1
        while _pids_of_children() and time.monotonic() < deadline:
            self._kill_orphans()
            self._wait(0.02)
            self._forget_ended()

    def _restart(self, child: Child) -> None:
        try:
            changed = child.start(self._run, self._logs)
        except (LunglineError, OSError) as error:
            pause = child.note_end()
            _log.warning("process cannot start", name=child.name, error=type(error).__name__, tries_again_in_seconds=pause)
            return
        _log.info("process started again", name=child.name)
        if child.base and changed:
            for other in self._children:
                if not other.base:
                    other.terminate()

    def _forget_ended(self) -> None:
        for child, _ in self._reap():
            child.note_end()

    def _reap(self) -> list[tuple[Child, int]]:
        """Who died, with its exit code (negative: the signal); what is left of a dead child's session dies too."""
        dead = []
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                child = next((child for child in self._children if child.pid == found[0]), None)
                if child:
                    child.kill()
                    dead.append((child, os.waitstatus_to_exitcode(found[1])))
        return dead

    def _kill_orphans(self) -> None:
        """Ends what dead processes left to us, their subreaper."""
        for pid in _pids_of_children() - {child.pid for child in self._children}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _wait(self, seconds: float) -> set[int]:
        """The signals that have come, after waiting up to `seconds` for the first."""
        if select.select([self._signals], [], [], seconds)[0]:
            return set(os.read(self._signals, 4096))
        return set()


def _signal_pipe() -> int:
    """The end of a pipe from which the numbers of coming signals can be read."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (*_STOP_SIGNALS, signal.SIGCHLD):
        if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue  # nohup
        signal.signal(number, lambda *_: None)  # without a handler in Python nothing is written to the pipe
    return reading


def _pids_of_children() -> set[int]:
    try:
        return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
    except OSError:
        return set()
