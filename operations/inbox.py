"""Puts a file into the inbox under its name, or a numbered one beside it: never over another file that waits there."""

import errno
import os
import shutil
from pathlib import Path
from uuid import uuid4

from lungline.errors import StoreError

_LONGEST_NAME = 255  # bytes, on every file system that matters
_LONGEST_SUFFIX = 16
_MOST = 10_000


def put(file: Path, folder: Path, name: str) -> None:
    """Moves `file` into `folder`, which lies in the inbox, as `name`.

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
            _move(file, target)
        else:
            file.unlink()
        return
    raise StoreError("LUNGLINE_INBOX has too many files of that name; see `lungline status`.")


def bring_near(file: Path, folder: Path) -> Path:
    """A copy of `file` beside its future place in `folder`, hidden; the file itself where it lies on the same file system.

    Raises:
        OSError: it cannot be copied; nothing is left of it.
    """
    if file.lstat().st_dev == folder.lstat().st_dev:
        return file
    draft = folder / f".{uuid4()}.part"
    try:
        shutil.copyfile(file, draft)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _move(file: Path, target: Path) -> None:
    try:
        file.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        draft = target.with_name(f".{uuid4()}.part")  # hidden until whole
        shutil.copyfile(file, draft)
        draft.rename(target)
        file.unlink()


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
