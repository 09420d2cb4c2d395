"""What was refused or could not be read, with its names from the store, and how it is released."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Engine

from db import audit, files, quarantine, scans
from db.audit import Action
from db.connect import read_only
from db.migrate import open_database
from db.quarantine import QuarantineRow
from db.rows import ViewRow, storable
from db.tables import Priority
from lungline.durable import sync_folder
from lungline.layout import Store
from lungline.reasons import Reason
from lungline.settings import Settings
from operations.inbox import bring_near, put
from operations.users import current_user


@dataclass(frozen=True)
class QuarantinedFile:
    """A row of `quarantined_files`, and the names that its bytes were dropped by; empty if the file stayed in the inbox."""

    columns: ViewRow
    names: list[str]


@dataclass(frozen=True)
class Released:
    """How many were released, and how many could not be: unknown, released before, or not in the store."""

    released: int
    failed: int


def list_quarantined(settings: Settings, *, released: bool = False) -> list[QuarantinedFile]:
    """Refused files and quarantined scans, the oldest first; `released`: those that were released, too."""
    store = Store(settings.store)
    with read_only(open_database(settings)).connect() as connection:
        rows = quarantine.list_rows(connection, released=released)
    return [QuarantinedFile(columns, _names(store, row)) for columns, row in rows]


def _names(store: Store, row: QuarantineRow) -> list[str]:
    """By which its bytes were dropped; an archive that could not be unpacked lies under its hash, as scans do."""
    refused = [] if row.scan_id else store.refused_names(row.file_id)
    return refused or (store.names(row.sha256) if row.sha256 else [])


def release(settings: Settings, ids: Collection[str], reason: Reason | None = None, *, who: str | None = None) -> Released:
    """Lets quarantined scans wait anew, and puts refused files back into the inbox: those with the ids, and all with the reason.

    `who` does it, for the audit; None: whoever runs this process.

    Raises:
        OSError: a file cannot be copied; it stays quarantined.
        StoreError: the inbox has no name left for a file.
    """
    engine = open_database(settings)
    ids = set(map(storable, ids))
    with engine.connect() as connection:
        rows = quarantine.find_open(connection, ids, reason)
    released = sum(_release(settings, engine, row) for row in rows)
    if released:
        with engine.begin() as connection:
            detail = f"{released} released from quarantine" + (f" ({reason.value})" if reason else "")
            audit.note(connection, Action.RELEASE, detail, who=who or current_user(), subject=next(iter(ids)) if len(ids) == 1 else None)
    unknown = ids - {row.quarantine_id for row in rows}
    return Released(released, len(unknown) + len(rows) - released)


def _release(settings: Settings, engine: Engine, row: QuarantineRow) -> bool:
    if row.scan_id is not None:
        with engine.begin() as connection:
            return scans.release(connection, row.quarantine_id)
    return _put_back(settings, engine, row)


def _put_back(settings: Settings, engine: Engine, row: QuarantineRow) -> bool:
    """Puts a refused file back into the folders that say what it is; False if it was released before, or the store lacks it."""
    store = Store(settings.store)
    folder = store.quarantine / row.file_id
    refused = next(folder.iterdir(), None) if folder.is_dir() else None
    entry = refused or (store.find(row.sha256, row.file_id) if row.sha256 else None)
    if entry is None:
        return False
    with engine.connect() as connection:
        priority, modality = files.dropped_as(connection, row.file_id)
    target = settings.inbox.joinpath(*(["stat"] if priority is Priority.STAT else []), *([modality] if modality else []))
    target.mkdir(parents=True, exist_ok=True)
    near = bring_near(entry, target, may_link=refused is not None)  # half a gigabyte perhaps: no transaction is open meanwhile
    try:
        with engine.begin() as connection:  # the row first: a crash then leaves the file where it is, to be seen by `reconcile`
            if not quarantine.mark_file_released(connection, row.quarantine_id):
                return False
        put(near, target, entry.name)
    finally:
        near.unlink(missing_ok=True)
    sync_folder(target)  # before the store's own goes
    if refused is not None:
        refused.unlink(missing_ok=True)
        folder.rmdir()
    return True
