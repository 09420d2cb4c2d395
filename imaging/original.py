"""The bytes of an original in the store, as whoever decodes them takes them: those that were taken in, or none."""

import hashlib
import os

from lungline.errors import UnreadableScan
from lungline.layout import FILE_BYTES_MAX
from lungline.reasons import Reason


def read_original(path: str, sha256: str) -> bytes:
    """All bytes of the file at `path`, which must have the hash `sha256`.

    Raises:
        UnreadableScan: `too_large`, `unreadable` or `bytes_missing`; `truncated` if it holds other bytes than were taken in.
    """
    try:
        if os.stat(path).st_size > FILE_BYTES_MAX:
            raise UnreadableScan(Reason.TOO_LARGE)
        with open(path, "rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except PermissionError:
        raise UnreadableScan(Reason.UNREADABLE) from None
    except OSError:
        raise UnreadableScan(Reason.BYTES_MISSING) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        # a sender went on writing: truncated files are looked at again, and taken in anew
        raise UnreadableScan(Reason.TRUNCATED, "The bytes changed after they were taken in.")
    return data
