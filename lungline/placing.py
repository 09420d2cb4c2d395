"""Puts a folder that holds one file to its place in the store, where another may lie."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from lungline.durable import sync_folder


def put_in_place(folder: Path, target: Path, *, is_known: bool) -> None:
    """Moves a folder to `target`, or what it holds into it; the entries that were moved are durable then.

    Args:
        folder: of one file, which is durable itself.
        target: where it belongs; what lies there stays.
        is_known: what lies there has the same bytes: the file becomes a second name for them.

    Raises:
        OSError: it cannot be moved now; the file is where it was, or at its place. Call it again.
    """
    try:
        if not target.parent.is_dir():
            target.parent.mkdir(exist_ok=True)  # and never the store itself: its disk may not be mounted
        os.rename(folder, target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        _join(folder, target, is_known=is_known)
    else:
        sync_folder(target.parent)


def remove_empty(folder: Path) -> None:
    """Removes a folder, but never with what may have come into it meanwhile."""
    with suppress(OSError):
        folder.rmdir()


def _join(folder: Path, target: Path, *, is_known: bool) -> None:
    for entry in folder.iterdir():
        first = next(target.iterdir(), None) if is_known else None
        if first is None:
            os.rename(entry, target / entry.name)
            continue
        if not os.path.lexists(target / entry.name):
            with suppress(OSError):  # no links on this file system: the first name must do
                os.link(first, target / entry.name)  # a second name for bytes that are there
        entry.unlink()
    sync_folder(target)
    remove_empty(folder)
