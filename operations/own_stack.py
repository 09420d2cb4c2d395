"""A Lungline of its own, or some of its processes, on a home of its own while one command runs: for `demo` and `bench`."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from db.connect import connect, read_only
from lungline.errors import LunglineError
from lungline.parent import kill_with_this_process
from lungline.processes import is_ready, own_command
from lungline.settings import PREFIX, Settings, load

Process = subprocess.Popen[bytes]

_KEPT: Final = ("DEVICES", "ENGINE", "BATCH_MAX")  # settings of the machine; all others would lead to real scans
_READY_SECONDS: Final = 300.0  # large networks are converted when they are first seen
_STOP_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.05


class StackError(LunglineError):
    """A Lungline of its own did not start, or did not do all that was asked of it."""


def settings_for(home: Path) -> Settings:
    """Settings for `home`, in force for this process and those that it starts from now on."""
    for name in [name for name in os.environ if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in _KEPT]:
        del os.environ[name]
    os.environ[f"{PREFIX}HOME"] = str(home)
    return load()


@contextmanager
def running(settings: Settings) -> Iterator[Process]:
    """`lungline up` on the home of `settings_for`, ready while the block runs, and stopped after it.

    Raises:
        StackError: it does not get ready.
    """
    with started(own_command("up"), settings, "up", lambda: is_ready(settings)) as up:
        yield up


@contextmanager
def started(command: list[str], settings: Settings, name: str, ready: Callable[[], bool]) -> Iterator[Process]:
    """A process whose output goes to `HOME/logs/<name>.log`, ready while the block runs, and stopped after it.

    Raises:
        StackError: it does not get ready.
    """
    settings.layout.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (settings.layout.logs / f"{name}.log").open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for this process, which then stops the other
            preexec_fn=kill_with_this_process(),
        )
    try:
        failure = f"`{name}` did not get ready; see {settings.layout.logs / f'{name}.log'}, and `lungline doctor`."
        wait_for(ready, 1, process, failure, patience=_READY_SECONDS)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(count: Callable[[], int], wanted: int, process: Process, failure: str, *, patience: float = 60.0) -> None:
    """Waits until `count` says `wanted`.

    Raises:
        StackError: the process ended, or nothing more was counted for `patience` seconds; it says `failure`.
    """
    counted, silent = -1, 0.0
    while (now := count()) < wanted:
        if now > counted:
            counted, silent = now, 0.0
        elif process.poll() is not None or silent > patience:
            raise StackError(failure)
        time.sleep(_LOOK_SECONDS)
        silent += _LOOK_SECONDS  # counted in looks: a pause of this process, as by Ctrl-Z, is nobody's silence


@contextmanager
def asking(settings: Settings) -> Iterator[Callable[..., int]]:
    """A function that asks the database for one number, with a statement and its parameters."""
    engine = read_only(connect(settings.database_url))

    def ask(statement: str, **parameters: Any) -> int:
        with engine.connect() as connection:
            return int(connection.scalar(text(statement), parameters) or 0)

    try:
        yield ask
    finally:
        engine.dispose()
