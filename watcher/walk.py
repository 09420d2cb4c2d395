"""Walks the inbox: what lies there now is believed, whatever events said."""

import fnmatch
import os
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from db.tables import Priority
from lungline.findings import Modality

_MODALITIES = frozenset(modality.value for modality in Modality)


def walk(inbox: Path, ignore: list[str], closed: list[str]) -> Iterator["os.DirEntry[str]"]:
    """Every entry below the inbox that is no folder, and neither ignored nor in a folder that is; what vanishes meanwhile is left out.

    Links are not followed.

    A folder that may not be read, or has too long a path, is passed over and added to `closed`.

    Raises:
        OSError: the inbox itself cannot be read now.
    """
    is_left_alone = _matcher(tuple(ignore))
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


def patterns(ignore: str) -> list[str]:
    """The patterns of LUNGLINE_IGNORE."""
    return [pattern.strip() for pattern in ignore.split(",") if pattern.strip()]


def is_ignored(name: str, ignore: list[str]) -> bool:
    """Hidden files and folders, and what matches a pattern of LUNGLINE_IGNORE in any case: left alone and counted nowhere."""
    return _matcher(tuple(ignore))(name) is not None


@lru_cache(16)
def _matcher(ignore: tuple[str, ...]) -> Callable[[str], re.Match[str] | None]:
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in (*ignore, ".*")), re.IGNORECASE).match


def said_by_folders(path: str, inbox: Path) -> tuple[Priority, Modality | None]:
    """What the folders between inbox and file say: `stat` makes it urgent, `xray` or `ct` (the nearest one) its modality."""
    return _said(os.path.dirname(path)[len(os.fspath(inbox)) :])


@lru_cache(1024)
def _said(folders: str) -> tuple[Priority, Modality | None]:
    names = folders.lower().split(os.sep)
    priority = Priority.STAT if Priority.STAT.value in names else Priority.SCANS
    hint = next((Modality(name) for name in reversed(names) if name in _MODALITIES), None)
    return priority, hint
