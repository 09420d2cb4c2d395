"""Files that are replaced safely."""

import os
from pathlib import Path

from lungline.ids import new_id


def replace_text(path: Path, text: str) -> None:
    """Writes a file, or writes it anew: whoever reads it, and after a kill or a power cut, finds the old text or the new one, whole.

    Raises:
        OSError: it cannot be written; what was there is there still.
    """
    draft = path.with_name(f".{path.name}.{new_id()}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes a folder's own entries survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Makes all files of a folder, and its own entries, survive a power cut."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)
