"""The shipped networks as OpenVINO runs them, converted once for all tests: each home would do so anew, for a quarter of a minute."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_CONVERTED = Path(tempfile.gettempdir()) / f"lungline-networks-{os.getpid()}"
atexit.register(shutil.rmtree, _CONVERTED, ignore_errors=True)


def lend(folder: Path) -> None:
    """Puts them into HOME/cache/networks, if somebody converted them already."""
    if _CONVERTED.exists() and not folder.exists():
        shutil.copytree(_CONVERTED, folder)


def keep(folder: Path) -> None:
    """Takes them from HOME/cache/networks, if nobody did before."""
    if folder.exists() and not _CONVERTED.exists():
        shutil.copytree(folder, _CONVERTED)
