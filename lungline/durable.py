"""Files and folders that are put in place whole: whoever reads one, also after a kill or a power cut, finds the old one or the new one.

A draft is made beside the target, synced to the disk and renamed, and then the folder is synced. A process that is killed may leave its
draft behind; whoever writes into that folder a day later removes it.
"""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from lungline.ids import new_id

_DRAFT: Final = re.compile(r"\..+\.[0-9a-f-]{36}\.part")
_ABANDONED_SECONDS: Final = 86_400.0


def replace_text(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Writes `text` as UTF-8 in place of what `path` holds, if anything; lone surrogates become the bytes that they stand for in a path.

    Args:
        path: in a folder that is there.
        text: all of it.
        mode: permissions of the file, less what the umask forbids.

    Raises:
        OSError: it cannot be written; what was there is there still.
    """
    replace_bytes(path, text.encode("utf-8", "surrogateescape"), mode=mode)


def replace_bytes(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Writes `data` in place of what `path` holds, if anything; as `replace_text` does."""
    with replacing(path) as draft:
        _write(draft, data, mode)


def create_text(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Writes `text` as UTF-8 where `path` does not exist; leaves what is there, so that of several who write at once the first wins.

    Raises:
        OSError: it cannot be written.
    """
    draft = _draft_of(path)
    try:
        _write(draft, text.encode(), mode)
        _sync(draft)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def copy_into_place(source: Path, target: Path) -> None:
    """Puts a copy of a file in place of an older one, or a copy of a folder where there is none.

    Raises:
        OSError: it cannot be read or written, or there is a folder with something in it already.
    """
    with replacing(target) as draft:
        shutil.copytree(source, draft) if source.is_dir() else shutil.copyfile(source, draft)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives the path of a draft; the file or folder that the block makes there takes the place of `path` when the block ends.

    A folder takes the place only of an empty one, or of none. If the block raises, or nothing can be written, the draft is removed.

    Raises:
        OSError: it cannot be written; what was there is there still.
    """
    _remove_abandoned(path.parent)
    draft = _draft_of(path)
    try:
        yield draft
        _sync(draft)
        draft.replace(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True) if draft.is_dir() else draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def rename_into(file: Path, target: Path) -> None:
    """Gives a whole file its place in a folder of the same file system: its bytes are on the disk before its name is, and both at the end.

    Raises:
        OSError: it cannot be done; the file has its old name, or its new one.
    """
    _sync(file)
    file.rename(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Makes a folder's own entries survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{new_id()}.part")


def _write(draft: Path, data: bytes, mode: int) -> None:
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
        file.write(data)


def _sync(draft: Path) -> None:
    if draft.is_dir():
        for entry in draft.iterdir():
            _sync(entry)
        sync_folder(draft)
    else:
        with draft.open("rb") as file:
            os.fsync(file.fileno())


def _remove_abandoned(folder: Path) -> None:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _DRAFT.fullmatch(entry.name) and time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(entry.path, ignore_errors=True) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
