"""A process that the supervisor keeps alive: how it is started and ended, how long it pauses between two starts, and its log."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from lungline.parent import kill_with_this_process
from lungline.presence import Presence

_PAUSES: Final = (1, 2, 4, 8, 16, 30)  # seconds before the first, second, … restart
_HEALTHY_SECONDS: Final = 60  # a process that lived so long restarts as if it had never failed
_LOG_BYTES: Final = 10_000_000


class RestartPauses:
    """How long to wait before the next restart: longer with each failure."""

    def __init__(self) -> None:
        self._failures = 0

    def next(self, lived: float) -> int:
        """Seconds to wait before a process restarts that has lived for `lived` seconds."""
        if lived >= _HEALTHY_SECONDS:
            self._failures = 0
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        return pause


class Child:
    """A process to keep alive, in a session of its own, with its output in a file."""

    def __init__(self, name: str, command: Callable[[], list[str]], *, base: bool = False, probe: Callable[[], bool] | None = None) -> None:
        """Starts nothing yet.

        Args:
            name: of its presence and its log.
            command: asked for at each start.
            base: the others depend on it: it is stopped last, and they restart when its command has changed.
            probe: for a program that is not ours and cannot report its own presence: says whether it is ready.
        """
        self.name = name
        self.base = base
        self.pid: int | None = None
        self.due = 0.0
        """When it may restart, on the monotonic clock."""
        self._command = command
        self._probe = probe
        self._presence: Presence | None = None
        self._last_command: list[str] = []
        self._started = 0.0
        self._pauses = RestartPauses()

    def start(self, run: Path, logs: Path) -> bool:
        """Starts the process; says whether its command differs from the last one.

        Raises:
            LunglineError, OSError: it cannot be started.
        """
        self._started = time.monotonic()
        command = self._command()
        changed = self._last_command not in ([], command)
        self._last_command = command
        self.trim_log(logs)
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

    def update_presence(self) -> None:
        """Reports what `probe` answers now."""
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

    def note_end(self) -> int:
        """Notes that it has ended, or could not be started; returns the seconds until it may restart."""
        self.pid = None
        if self._presence:
            self._presence.leave()
            self._presence = None
        now = time.monotonic()
        pause = self._pauses.next(now - self._started)
        self.due = now + pause
        return pause

    def log(self, logs: Path) -> Path:
        """Where its output goes."""
        return logs / f"{self.name}.log"

    def trim_log(self, logs: Path) -> None:
        """Keeps at most two logs of some 10 MB: the present one, and `.1`."""
        log = self.log(logs)
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            with suppress(OSError):  # a full disk: the old lines are lost then
                shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)  # the process appends, so it goes on at the new end
