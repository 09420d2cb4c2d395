"""Puts a file into the inbox under its name, or a numbered one beside it: never over another file that waits there."""

import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from lungline.durable import copy_into_place
from lungline.errors import StoreError

_LONGEST_NAME = 255  # bytes, on every file system that matters
_LONGEST_SUFFIX = 16
_MOST = 10_000


def put(file: Path, folder: Path, name: str) -> None:
    """Moves `file` into `folder`, which lies in the inbox and on the same file system, as `name`.

    Raises:
        StoreError: no name is left.
    """
    for number in range(_MOST):
        target = folder / _numbered(name, number)
        try:
            os.link(file, target, follow_symlinks=False)
        except FileExistsError:
            continue
        except OSError:  # no links on this file system, or not to another user's file
            if os.path.lexists(target):
                continue
            file.rename(target)
        else:
            file.unlink()
        return
    raise StoreError("LUNGLINE_INBOX has too many files of that name; see `lungline status`.")


def bring_near(file: Path, folder: Path, *, may_link: bool) -> Path:
    """A hidden draft in `folder` for `put` to name: a link to `file`, or a copy that outlives a power cut where it cannot be linked.

    Args:
        file: any regular file.
        folder: in the inbox.
        may_link: whether `file` is removed afterwards; what stays in the store is copied, so that nobody writes to it from the inbox.

    Raises:
        OSError: it cannot be copied; nothing is left of it.
    """
    draft = folder / f".{uuid4()}.part"
    if may_link:
        with suppress(OSError):  # on another file system, or on one without links
            os.link(file, draft, follow_symlinks=False)
            return draft
    copy_into_place(file, draft)
    return draft


def _numbered(name: str, number: int) -> str:
    if number == 0:
        return name
    stem, suffix = os.path.splitext(os.fsencode(name))
    if len(suffix) > _LONGEST_SUFFIX:
        stem, suffix = os.fsencode(name), b""
    tail = b"-%d%s" % (number, suffix)
    room = _LONGEST_NAME - len(tail)
    while 0 < room < len(stem) and stem[room] & 0xC0 == 0x80:  # a letter that would be cut through goes
        room -= 1
    return os.fsdecode(stem[:room] + tail)
