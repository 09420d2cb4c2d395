"""Puts files into the inbox as a PACS would, and can wait for what becomes of each."""

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from db import drop_outcomes, errors
from db.clock import read_clock
from db.connect import read_only
from db.migrate import open_database
from lungline.errors import LedgerError, StoreError
from lungline.inbox_names import is_ignored, patterns
from lungline.progress import Progress, silent
from lungline.reasons import Reason
from lungline.settings import Settings
from operations import inbox
from watcher.archives import bytes_max

_POLL_SECONDS: Final = 0.25


@dataclass
class Dropped:
    """A file that was put into the inbox, and what became of it so far."""

    name: str
    sha256: str | None  # None: not read
    outcome: str = "dropped"
    detail: str = ""  # names another file where that has the same bytes; else our own words
    bytes: int = 0
    turned_away: int = 0  # files in an archive that were refused or quarantined
    same_as: str = ""  # the name of an earlier file of this drop with the same bytes

    @property
    def is_open(self) -> bool:
        """Whether something is still to become of it."""
        return self.outcome in ("dropped", "waiting", "reading")


def drop_and_wait(settings: Settings, paths: Sequence[Path], seconds: float, progress: Progress = silent) -> list[Dropped]:
    """Puts copies of files, and of all in folders, into the inbox; waits for what becomes of each.

    Args:
        settings: of this home.
        paths: files and folders.
        seconds: for how long to wait at most; 0: not at all.
        progress: shows how many have their outcome.

    Raises:
        StoreError: a file cannot be copied.
        LedgerError: the database cannot be reached at the start; later, it is waited for.
    """
    engine = read_only(open_database(settings))
    settings.inbox.mkdir(parents=True, exist_ok=True)
    with engine.connect() as connection:
        since = read_clock(connection)
    ignored = patterns(settings.ignore)
    dropped = [file for path in paths for file in _put(path, settings.inbox, ignored)]
    _note_same_bytes(dropped)
    deadline = time.monotonic() + seconds
    with progress("read", len(dropped)) as step:
        waiting = [file for file in dropped if file.is_open]
        step(len(dropped) - len(waiting))
        while seconds and waiting:
            with (
                suppress(LedgerError),
                errors.translating(),
                engine.connect() as connection,
            ):  # while the database is away, it goes on waiting
                for file in waiting:
                    _look_up(connection, file, since)
            before, waiting = len(waiting), [file for file in waiting if file.is_open]
            step(before - len(waiting))
            if time.monotonic() >= deadline:
                break
            time.sleep(_POLL_SECONDS)
    engine.dispose()
    return dropped


def _put(path: Path, inbox_folder: Path, ignore: list[str]) -> list[Dropped]:
    """Copies a file, or a folder with its name, so that folders named `stat`, `xray` or `ct` keep their meaning.

    What the watcher would ignore there is left out. As in the inbox, no link below a folder is followed.
    """
    path = path.resolve()  # a link that was named is meant
    if not path.is_dir():
        return [Dropped(path.name, None, "ignored") if is_ignored(path.name, ignore) else _copy(path, inbox_folder)]
    dropped = []
    for root, _, names in os.walk(path):  # enters no link; a link to a folder is no folder
        folder = path.name / Path(root).relative_to(path)
        is_left_alone = any(is_ignored(part, ignore) for part in folder.parts)
        links = [entry.name for entry in os.scandir(root) if entry.is_symlink() and entry.is_dir()]
        for name in sorted({*names, *links}):
            ignored = is_left_alone or is_ignored(name, ignore)
            dropped.append(Dropped(name, None, "ignored") if ignored else _copy(Path(root, name), inbox_folder / folder))
    return dropped


def _note_same_bytes(dropped: list[Dropped]) -> None:
    first: dict[str, str] = {}
    for file in dropped:
        if file.sha256 is not None:
            file.same_as = first.get(file.sha256, "")
            first.setdefault(file.sha256, file.name)


def _copy(source: Path, folder: Path) -> Dropped:
    if not stat.S_ISREG(source.lstat().st_mode):  # a pipe or a device might never end
        return Dropped(source.name, None, "refused", Reason.NOT_A_REGULAR_FILE)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{uuid4()}.part"  # hidden until whole
    try:
        shutil.copyfile(source, draft)
        with draft.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            # what is too large is refused unread
            sha256 = hashlib.file_digest(file, "sha256").hexdigest() if size <= bytes_max(file.fileno()) else None
        inbox.put(draft, folder, source.name)
    except OSError as error:
        raise StoreError(f"A file cannot be copied into LUNGLINE_INBOX ({error.strerror}); the files before it were copied.") from None
    finally:
        draft.unlink(missing_ok=True)
    return Dropped(source.name, sha256, bytes=size)


def _look_up(connection: Connection, file: Dropped, since: datetime) -> None:
    """Brings a file's outcome up to date."""
    found = drop_outcomes.outcome_of(connection, file.sha256, file.bytes, since)
    known = ""
    if found.outcome == "done" and found.was_known:
        known = "again: "
    elif found.outcome == "done" and file.same_as:
        known = f"same bytes as {file.same_as}: "
    file.outcome, file.detail, file.turned_away = found.outcome, f"{known}{found.detail}", found.turned_away
