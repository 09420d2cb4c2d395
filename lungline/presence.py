"""Which of a home's processes live: each holds a lock on its own file under HOME/run, and the kernel lets go when it dies."""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import IO

from lungline.errors import AlreadyRunningError

# `live` holds each lock for a moment while it looks: a start that meets it tries again instead of being refused.
_TRIES = 50
_PAUSE_SECONDS = 0.01
_WIDTH = 64


class Presence:
    """Held by a process for as long as it lives; says its pid and whether it is ready for work."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    @classmethod
    def take(cls, run: Path, name: str, *, pid: int | None = None) -> "Presence":
        """Takes the slot `name` (watch, inference-0, up …) of the home whose run folder is `run`.

        Raises:
            AlreadyRunningError: a live process holds it.
        """
        run.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(run / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+")
        for left in reversed(range(_TRIES)):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if not left:
                    file.close()
                    raise AlreadyRunningError(f"`{name}` already runs on this home; see `lungline status`.") from None
                time.sleep(_PAUSE_SECONDS)
        presence = cls(file)
        presence.tell(ready=False, pid=pid)
        return presence

    def tell(self, *, ready: bool, pid: int | None = None) -> None:
        """Writes pid and readiness for `live` to read."""
        # One write of one width: a reader sees the old or the new, never half of it.
        said = json.dumps({"pid": pid or os.getpid(), "ready": ready}).ljust(_WIDTH)
        os.pwrite(self._file.fileno(), said.encode(), 0)

    def leave(self) -> None:
        """Gives the slot back."""
        self._file.close()


def live(run: Path) -> dict[str, tuple[int, bool]]:
    """The home's live processes: name -> (pid, ready)."""
    found: dict[str, tuple[int, bool]] = {}
    for path in sorted(run.glob("*.lock")):
        try:
            with path.open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except OSError:
                    said = json.loads(file.read() or "{}")
                    found[path.stem] = (int(said["pid"]), bool(said["ready"]))
        except (OSError, ValueError, KeyError):
            continue  # taken or given back at this very moment
    return found
