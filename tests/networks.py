"""The shipped networks as OpenVINO runs them, converted once for a whole run of the tests: each home would take a quarter of a minute."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_RUN: Final = "TESTS_OF_PROCESS"  # which process began the run: those that pytest starts beside itself inherit it


def begin_run() -> None:
    """Names this run, unless another process of it did."""
    os.environ.setdefault(_RUN, str(os.getpid()))


def end_run() -> None:
    """Removes what the run converted, if this process began it."""
    if os.environ.get(_RUN) == str(os.getpid()):
        shutil.rmtree(_converted(), ignore_errors=True)
        _lock().unlink(missing_ok=True)


def lend(folder: Path) -> None:
    """Puts the converted networks into HOME/cache/networks; the first who asks has them converted, and others wait."""
    if folder.exists():
        return
    with _alone():
        if not _converted().exists():
            _convert()
    shutil.copytree(_converted(), folder)


def _convert() -> None:
    from models.registry import shipped, shipped_admission
    from models.runtimes.choice import RuntimeChoice

    part = _converted().with_suffix(".part")
    places = [place for files in (*shipped().values(), shipped_admission()) for place in files.places]
    RuntimeChoice("auto", part).prepare(places)
    part.rename(_converted())


def _converted() -> Path:
    return Path(tempfile.gettempdir()) / f"lungline-networks-{os.environ[_RUN]}"


def _lock() -> Path:
    return _converted().with_suffix(".lock")


@contextmanager
def _alone() -> Iterator[None]:
    with _lock().open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
