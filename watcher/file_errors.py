"""What may keep a file from being taken in now, in our own words."""

import errno
import os
from pathlib import Path
from typing import Final

from lungline.errors import StoreError
from lungline.layout import Store

STORE_AWAY: Final = "LUNGLINE_STORE is not there: mount its disk again."
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class Unfinished(Exception):
    """A file looks as if more of it were to come."""


class FileError(Exception):
    """A file that lies in the inbox cannot be read or moved now."""


def raise_reworded(error: OSError, store: Store) -> None:
    """Raises what a caller is to be told; nothing if the file is gone.

    Raises:
        StoreError: the store is full, or away.
        FileError: anything else that is amiss.
    """
    if error.errno in _FULL:
        raise StoreError("LUNGLINE_STORE cannot take more files: free some space on its disk.") from None
    if not store.is_there():
        raise StoreError(STORE_AWAY) from None
    if not isinstance(error, FileNotFoundError):
        raise FileError(error.errno) from None


def is_gone(path: Path, store: Store) -> bool:
    """Whether something in the store is no longer there. That is believed only of a store that is there before and after the look."""
    return store.is_there() and not os.path.lexists(path) and store.is_there()
