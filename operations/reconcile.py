"""Proves that every drop is accounted for, against the database, the store and the inbox."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from db import files
from db.connect import connect, read_only
from db.consistency import Check, check_tables
from db.migrate import open_database
from db.status import counts
from lungline.inbox_names import patterns
from lungline.layout import Store
from lungline.progress import Progress, silent
from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings
from watcher.label_drops import is_known, left
from watcher.originals import stay_key
from watcher.walk import walk

_SUMS: Final = {"files": ("accepted", "duplicates", "refused", "unpacked"), "scans": ("waiting", "reading", "done", "quarantined")}


@dataclass(frozen=True)
class Sum:
    """A total, and the parts that add up to it, by name."""

    name: str
    total: int
    parts: dict[str, int]


def check(settings: Settings) -> Iterator[Check]:
    """Each rule between the tables, the store and the inbox, with how often it is broken; asked one by one, as they may take minutes.

    Raises:
        LedgerError: the database cannot be used.
    """
    with read_only(open_database(settings)).connect() as connection:
        yield from check_tables(connection)
        yield from _check_store(connection, Store(settings.store))
    yield from _check_inbox(settings)


def add_up(settings: Settings) -> list[Sum]:
    """The sums of docs/contract.md, as they are now."""
    found = counts(open_database(settings))
    return [Sum(name, int(found[name] or 0), {part: int(found[part] or 0) for part in parts}) for name, parts in _SUMS.items()]


def count_altered(settings: Settings, progress: Progress = silent) -> int:
    """How many bytes in the store differ from their hash, or cannot be read. Reads all of them."""
    store = Store(settings.store)
    folders = store.folders()
    altered = 0
    with progress("compared", len(folders)) as step:
        for folder in folders:
            altered += not store.holds_its_hash(folder)
            step(1)
    return altered


def _check_store(connection: Connection, store: Store) -> Iterator[Check]:
    missing = 0
    known = files.refused_hashes(connection)
    for file in files.stored(connection):
        known.add(file.sha256)
        missing += not holds(store, file.sha256, file.file_id, file.bytes)
    yield Check("accepted files and unpacked archives whose bytes are missing in the store, or have another length", missing)
    yield Check("files in the store that the database does not know", sum(folder.name not in known for folder in store.folders()))
    waiting = sum(folder.is_dir() for folder in store.incoming.iterdir()) if store.incoming.exists() else 0
    yield Check("files in staging, between inbox and store (the watcher finishes these)", waiting)
    yield Check("files of labels that are not imported yet (the watcher imports them when it starts)", len(left(store)))


def holds(store: Store, sha256: str, file_id: str, size: int) -> bool:
    """Whether the store has a file's bytes, in their length; the watcher may put them in place meanwhile."""
    for _ in range(2):
        path = store.find(sha256, file_id)
        try:
            return path is not None and path.stat().st_size == size
        except OSError:
            continue
    return False


def _check_inbox(settings: Settings) -> Iterator[Check]:
    store = Store(settings.store)
    key = PseudonymKey.load_or_create(settings.key_file)
    waiting = 0
    is_away = False
    closed: list[str] = []
    with read_only(connect(settings.database_url)).connect() as connection:
        try:
            for entry in walk(settings.inbox, patterns(settings.ignore), closed):
                stays = _stay_key(key, entry)
                if stays is not None and not files.is_accounted_for(connection, stays):
                    waiting += not is_known(store, stays)
        except OSError:
            is_away = True
    yield Check("files in the inbox that are not taken in yet", waiting)
    yield Check("inboxes that cannot be read (is a share away?)", int(is_away))
    yield Check("folders in the inbox that Lungline's user cannot read, or whose path is too long", len(closed))


def _stay_key(key: PseudonymKey, entry: "os.DirEntry[str]") -> str | None:
    try:
        return stay_key(key, entry.path, entry.stat(follow_symlinks=False))
    except OSError:
        return None  # taken in at this moment
