"""The file that an object is written to while it comes. A disk that fills up meanwhile must not end the association."""

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from pynetdicom import _config, dimse_messages

from lungline.ids import new_id

_OPEN: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def write_into(folder: Path) -> None:
    """Has pynetdicom write all that comes into a folder, piece by piece, instead of keeping it in memory."""
    _config.STORE_RECV_CHUNKED_DATASET = True
    dimse_messages.NamedTemporaryFile = partial(IncomingFile, folder)  # type: ignore[attr-defined,assignment]


class IncomingFile:
    """As pynetdicom uses its temporary file: an error would end the thread that reads from the sender, and the sender would hear nothing.

    So what cannot be written is dropped and the file removed: whoever looks for it when the object has come whole finds none.
    """

    def __init__(self, folder: Path, **_: Any) -> None:
        self.name = os.fspath(folder / f"{new_id()}.dcm")
        self.file = self  # of a temporary file, it is the file behind it
        self._descriptor: int | None = None
        with suppress(OSError):
            self._descriptor = os.open(self.name, _OPEN, 0o600)

    def write(self, data: bytes) -> None:
        """Adds bytes, all or, once a write has failed, none."""
        if self._descriptor is None:
            return
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            self.close()
            with suppress(OSError):
                os.unlink(self.name)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Lets go of it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()  # of a sender that broke off
