"""Walks the inbox: what lies there now is believed, whatever events said."""

import os
from collections.abc import Iterator
from pathlib import Path

from db.tables import Priority
from lungline.findings import Modality
from lungline.inbox_names import matcher, said_by


def walk(inbox: Path, ignore: list[str], closed: list[str]) -> Iterator["os.DirEntry[str]"]:
    """Every entry below the inbox that is no folder, and neither ignored nor in a folder that is; what vanishes meanwhile is left out.

    Links are not followed.

    A folder that may not be read, or has too long a path, is passed over and added to `closed`.

    Raises:
        OSError: the inbox itself cannot be read now.
    """
    is_left_alone = matcher(tuple(ignore))
    folders = [os.fspath(inbox)]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    try:
                        is_folder = entry.is_dir(follow_symlinks=False)
                    except OSError:
                        continue
                    if is_left_alone(entry.name):
                        continue
                    if is_folder:
                        folders.append(entry.path)
                    else:
                        yield entry
        except OSError as error:
            if folder == os.fspath(inbox):
                raise
            if not isinstance(error, FileNotFoundError):
                closed.append(folder)


def said_by_folders(path: str, inbox: Path) -> tuple[Priority, Modality | None]:
    """What the folders between inbox and file say: `stat` makes it urgent, `xray` or `ct` (the nearest one) its modality."""
    is_urgent, hint = said_by(os.path.dirname(path)[len(os.fspath(inbox)) :])
    return Priority.STAT if is_urgent else Priority.SCANS, hint
