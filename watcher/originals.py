"""Originals of what was copied, not moved: a note beside the copy in `incoming` says which file is to be unlinked once its row stands."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Final

from lungline.pseudonyms import PseudonymKey
from watcher.stability import signature

NOTE: Final = ".source"


def remember(folder: Path, path: str | None, status: os.stat_result) -> None:
    """Notes where the original of `folder`'s copy lies, before it is copied; None: it must stay there."""
    with folder.with_suffix(NOTE).open("w") as file:
        json.dump([path, list(signature(status))], file)


def has_note(folder: Path) -> bool:
    """Whether `folder` holds a copy, or part of one, whose original was not unlinked."""
    return folder.with_suffix(NOTE).exists()


def unlink(folder: Path, sha256: str | None) -> None:
    """Unlinks the original of a copy whose row stands, if it is still what was copied; then forgets it."""
    note = folder.with_suffix(NOTE)
    try:
        path, like = json.loads(note.read_text())
        if path is not None and _is_still(path, like, sha256):
            os.unlink(path)
    except (OSError, ValueError):
        pass  # it was moved, not copied; the original is gone already, or may not be removed; or a power cut left half a note
    note.unlink(missing_ok=True)


def discard(folder: Path) -> None:
    """Gives a copy up: its original is still in the inbox."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(NOTE).unlink(missing_ok=True)


def stay_key(key: PseudonymKey, path: str, status: os.stat_result) -> str:
    """Under what a file that stays in the inbox is remembered: neither its path nor its name.

    Nor the numbers of its file system and inode: a share that is mounted anew may have others.
    """
    return key.pseudonym("stay", json.dumps([path, status.st_size, status.st_mtime_ns, status.st_ctime_ns]))


def _is_still(path: str, like: list[int], sha256: str | None) -> bool:
    """Whether an original is what was copied. The change time alone says little: it changes when another name of it is unlinked."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        now = list(signature(os.fstat(file.fileno())))
        return now == like or (now[:4] == like[:4] and hashlib.file_digest(file, "sha256").hexdigest() == sha256)
