"""A Lungline of its own, started for one command on a home of its own and stopped after it: for `demo` and `bench`."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lungline.errors import LunglineError

if TYPE_CHECKING:
    from lungline.settings import Settings

_KEPT: Final = ("DEVICES", "ENGINE", "BATCH_MAX")  # settings of the machine; all others would lead to real scans
_READY_SECONDS: Final = 300.0  # large networks are converted when they are first seen
_STOP_SECONDS: Final = 30.0


class StackError(LunglineError):
    """A Lungline of its own did not start."""


def settings_for(home: Path) -> "Settings":
    """Settings for `home`, in force for this process and those that it starts from now on."""
    from lungline.settings import PREFIX, load

    for name in [name for name in os.environ if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in _KEPT]:
        del os.environ[name]
    os.environ[f"{PREFIX}HOME"] = str(home)
    return load()


@contextmanager
def running(settings: "Settings") -> Iterator[None]:
    """`lungline up` on the home of `settings_for`, ready while the block runs, and stopped after it.

    Raises:
        StackError: it does not get ready.
    """
    from cli.supervise import die_with

    settings.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = settings.logs / "up.log"
    with log.open("wb") as output:
        up = subprocess.Popen(
            [sys.executable, "-P", "-m", "cli", "up"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for this process, which then stops the other
            preexec_fn=die_with(os.getpid()) if sys.platform == "linux" else None,
        )
    try:
        _wait_until_ready(settings, up, log)
        yield
    finally:
        up.terminate()
        try:
            up.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            up.kill()
            up.wait()


def _wait_until_ready(settings: "Settings", up: "subprocess.Popen[bytes]", log: Path) -> None:
    from cli.up import is_ready

    deadline = time.monotonic() + _READY_SECONDS
    while not is_ready(settings):
        if up.poll() is not None or time.monotonic() > deadline:
            raise StackError(f"Lungline did not get ready; see {log}, and `lungline doctor`.")
        time.sleep(0.2)
