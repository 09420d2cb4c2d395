"""Where temporary files go, and where a unix socket still fits: its path may have 107 bytes."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lungline.errors import SettingsError

_SOCKET_BYTES: Final = 107 if os.uname().sysname == "Linux" else 103  # unix(7), without the zero at the end
_SHORT: Final = ("/tmp", "/var/tmp", "/dev/shm")
_NAMES: Final = ("TMPDIR", "TEMP", "TMP")  # in the order in which Python asks for them


def folder_for_sockets(most: int, others: Sequence[str] = _SHORT) -> Path:
    """The folder of temporary files; or, where its path is too long, another that this user may write to.

    Args:
        most: bytes that a socket's path has below the folder.
        others: folders to try.

    Raises:
        SettingsError: there is none.
    """
    try:
        folders = (tempfile.gettempdir(), *others)
    except FileNotFoundError:
        raise SettingsError("There is no folder for temporary files that this user can write to: set TMPDIR to one.") from None
    for folder in folders:
        if len(os.fsencode(folder)) + most <= _SOCKET_BYTES and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder)
    raise SettingsError(
        f"The path of TMPDIR is too long for a socket: set it to a folder whose path has {_SOCKET_BYTES - most} bytes at most."
    )


def describe_fault() -> str:
    """What is wrong with the folder that the environment names for temporary files; empty if nothing is."""
    named = next((name for name in _NAMES if os.environ.get(name)), None)
    try:
        used = tempfile.gettempdir()
    except FileNotFoundError:
        return "There is no folder for temporary files that this user can write to: set TMPDIR to one."
    if named is None or Path(used) == Path(os.environ[named]).absolute():
        return ""
    return f"{named} is not a folder that this user can write to, so temporary files go to {used}: create it, or set {named} to another."
