"""The supervisor behind `lungline up`: starts processes, starts again those that die, and leaves none behind, whatever ends it."""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from lungline.errors import LunglineError
from lungline.parent import kill_with_this_process
from lungline.presence import Presence

_PAUSES: Final = (1, 2, 4, 8, 16, 30)  # seconds before the first, second, … new start
_SOUND_SECONDS: Final = 60  # whoever lived so long starts again as if it had never failed
_LOG_BYTES: Final = 10_000_000
_TIDY_SECONDS: Final = 60
_STOP_SECONDS: Final = 20
_STOP_BASE_SECONDS: Final = 4  # once the others have gone

_STOP_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_PR_SET_CHILD_SUBREAPER: Final = 36

_log = structlog.get_logger()


class Child:
    """A process to keep alive, in a session of its own, with its output in a file."""

    def __init__(
        self,
        name: str,
        command: Callable[[], list[str]],
        *,
        base: bool = False,
        probe: Callable[[], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            name: of its presence and its log.
            command: asked for at each start.
            base: the others lean on it: it is stopped last, and they are started anew when its command has changed.
            probe: for a program that is not ours and cannot tell its own presence: says whether it is ready.
            clock: seconds, as `time.monotonic` counts them.
        """
        self.name = name
        self.base = base
        self.pid: int | None = None
        self.due = 0.0  # not to be started before, on the monotonic clock
        self._command = command
        self._probe = probe
        self._clock = clock
        self._presence: Presence | None = None
        self._last_command: list[str] = []
        self._started = 0.0
        self._failures = 0

    def start(self, run: Path, logs: Path) -> bool:
        """Starts the process; says whether its command is another than the last time.

        Raises:
            LunglineError, OSError: it cannot be started.
        """
        self._started = self._clock()
        command = self._command()
        changed = self._last_command not in ([], command)
        self._last_command = command
        self.tidy(logs)
        with self.log(logs).open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=kill_with_this_process(),
            )
        process.returncode = 0  # the supervisor reaps; Popen must not wait for it too
        self.pid = process.pid
        if self._probe:
            self._presence = Presence.take(run, self.name, pid=self.pid)
        return changed

    def ask(self) -> None:
        """Tells the answer of `probe`."""
        if self._probe and self._presence and self.pid:
            self._presence.tell(ready=self._probe(), pid=self.pid)

    def terminate(self) -> None:
        """Asks it to end. Its own children are its own to end."""
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Ends all that lives in its session, even if it is dead itself."""
        if self.pid:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def ended(self) -> int:
        """Notes its end, or that it could not be started; returns the pause before the next start in seconds."""
        self.pid = None
        if self._presence:
            self._presence.leave()
            self._presence = None
        now = self._clock()
        if now - self._started >= _SOUND_SECONDS:
            self._failures = 0
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        self.due = now + pause
        return pause

    def log(self, logs: Path) -> Path:
        """Where its output goes."""
        return logs / f"{self.name}.log"

    def tidy(self, logs: Path) -> None:
        """Keeps at most two logs of some 10 MB: the running one, and `.1`."""
        log = self.log(logs)
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            with suppress(OSError):  # a full disk: the old lines are lost then
                shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)  # the process appends, so it goes on at the new end


class Supervisor:
    """To be used from the main thread alone: Linux ends children together with the thread that started them."""

    def __init__(self, run: Path, logs: Path) -> None:
        """Takes over the signals that ask this process to stop; `tend` tells of them from now on."""
        self._run = run
        self._logs = logs
        self._children: list[Child] = []
        self._tidied = time.monotonic()
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._wakeup = _signal_pipe()
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
        """Waits for up to `seconds`, then reaps the dead and starts those whose pause is over.

        Returns:
            False once this process has been asked to stop.
        """
        if self._wait(seconds) & _STOP_SIGNALS:
            return False
        for child, exit_code in self._reap():
            pause = child.ended()
            _log.warning("process ended", name=child.name, exit=exit_code, starts_again_in_seconds=pause, log=str(child.log(self._logs)))
        self._kill_orphans()
        for child in self._children:
            if child.pid:
                child.ask()
            elif time.monotonic() >= child.due:
                self._restart(child)
        if time.monotonic() - self._tidied >= _TIDY_SECONDS:
            self._tidied = time.monotonic()
            for child in self._children:
                child.tidy(self._logs)
        return True

    def stop(self, patience_seconds: float = _STOP_SECONDS) -> None:
        """SIGTERM in reverse order, SIGKILL to whoever takes too long; the base follows when the others have gone."""
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
            pause = child.ended()
            _log.warning("process cannot start", name=child.name, error=type(error).__name__, tries_again_in_seconds=pause)
            return
        _log.info("process started again", name=child.name)
        if child.base and changed:
            for other in self._children:
                if not other.base:
                    other.terminate()

    def _forget_ended(self) -> None:
        for child, _ in self._reap():
            child.ended()

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
        if select.select([self._wakeup], [], [], seconds)[0]:
            return set(os.read(self._wakeup, 4096))
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
