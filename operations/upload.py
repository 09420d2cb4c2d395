"""A file that a user of the page sends: written beside the inbox's files, hidden, and renamed among them once it is whole."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from lungline.durable import rename_into
from lungline.errors import StoreError
from lungline.ids import new_id
from lungline.layout import FILE_BYTES_MAX
from lungline.settings import Settings

_FOLDER: Final = ".uploading"  # hidden: the watcher leaves it alone
_SUFFIXES: Final = (".dcm", ".png", ".jpg", ".jpeg", ".zip")
_URGENT: Final = "stat"


class UploadTooLarge(StoreError):
    """More bytes than any file may have."""


@dataclass(frozen=True)
class Uploaded:
    """A file that lies in the inbox."""

    sha256: str
    bytes: int


class UploadedFile:
    """One file on its way. The sender's name is not kept: it may be a patient's."""

    def __init__(self, settings: Settings, name: str, *, is_urgent: bool, reserve_bytes: int = FILE_BYTES_MAX) -> None:
        """Makes an empty file.

        Args:
            settings: of this home.
            name: as the sender has it; only a suffix that is known is taken from it.
            is_urgent: whether its scans go before others.
            reserve_bytes: room that must be left on the inbox's disk.

        Raises:
            StoreError: there is no room, or the inbox cannot be written to.
        """
        self._inbox = settings.inbox / _URGENT if is_urgent else settings.inbox
        suffix = next((known for known in _SUFFIXES if name.lower().endswith(known)), "")
        self._name = f"upload-{new_id()}{suffix}"
        self._draft = settings.inbox / _FOLDER / self._name
        self._hash = hashlib.sha256()
        self._bytes = 0
        try:
            self._draft.parent.mkdir(exist_ok=True)
            if shutil.disk_usage(self._draft.parent).free < reserve_bytes:
                raise StoreError("The disk of LUNGLINE_INBOX is nearly full: free some space, then upload the file again.")
            self._file: BinaryIO = self._draft.open("xb")
        except OSError as error:
            raise StoreError(f"LUNGLINE_INBOX cannot be written to ({error.strerror}): give Lungline's user permission.") from None

    def write(self, chunk: bytes) -> None:
        """Appends some bytes.

        Raises:
            UploadTooLarge: that is more than a file may have.
            StoreError: the disk does not take them.
        """
        self._bytes += len(chunk)
        if self._bytes > FILE_BYTES_MAX:
            raise UploadTooLarge(f"The file has more than {FILE_BYTES_MAX >> 20} MiB: Lungline reads none that is larger.")
        self._hash.update(chunk)
        try:
            self._file.write(chunk)
        except OSError as error:
            raise StoreError(f"LUNGLINE_INBOX cannot be written to ({error.strerror}).") from None

    def finish(self) -> Uploaded:
        """Puts the whole file into the inbox.

        Raises:
            StoreError: it cannot be put there.
        """
        try:
            self._file.close()
            self._inbox.mkdir(exist_ok=True)
            rename_into(self._draft, self._inbox / self._name)
        except OSError as error:
            raise StoreError(f"LUNGLINE_INBOX cannot be written to ({error.strerror}).") from None
        return Uploaded(self._hash.hexdigest(), self._bytes)

    def discard(self) -> None:
        """Leaves nothing of a file that was not finished."""
        self._file.close()
        self._draft.unlink(missing_ok=True)


def discard_leftovers(inbox: Path) -> None:
    """Removes what a process that was killed left: its senders were not told that it arrived."""
    shutil.rmtree(inbox / _FOLDER, ignore_errors=True)
