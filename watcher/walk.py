"""Walks the inbox: what lies there now is believed, whatever events said."""

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from db.tables import Priority
from lungline.findings import Modality

_MODALITIES = frozenset(modality.value for modality in Modality)


def walk(inbox: Path, ignore: list[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Every entry below the inbox that is no folder and not ignored, with its own (lstat) status. Links are not followed.

    What vanishes meanwhile is left out; a folder that may not be read is passed over.
    """
    folders = [os.fspath(inbox)]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            if not entry.name.startswith("."):
                                folders.append(entry.path)
                        elif not is_ignored(entry.name, ignore):
                            yield entry.path, entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
        except OSError:
            continue


def patterns(ignore: str) -> list[str]:
    """The patterns of LUNGLINE_IGNORE."""
    return [pattern.strip() for pattern in ignore.split(",") if pattern.strip()]


def is_ignored(name: str, ignore: list[str]) -> bool:
    """Hidden files, and what matches a pattern of LUNGLINE_IGNORE: left alone and counted nowhere."""
    return name.startswith(".") or any(fnmatchcase(name, pattern) for pattern in ignore)


def said_by_folders(path: str, inbox: Path) -> tuple[Priority, Modality | None]:
    """What the folders between inbox and file say: `stat` makes it urgent, `xray` or `ct` (the nearest one) its modality."""
    folders = [part.lower() for part in os.path.relpath(path, inbox).split(os.sep)[:-1]]
    priority = Priority.STAT if Priority.STAT.value in folders else Priority.SCANS
    hint = next((Modality(name) for name in reversed(folders) if name in _MODALITIES), None)
    return priority, hint
