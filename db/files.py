"""Files as the ledger knows them, for `lungline reconcile` and the release of refused ones."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from db.tables import Outcome, Priority, files
from lungline.findings import Modality

_AT_A_TIME = 1000


@dataclass(frozen=True)
class StoredFile:
    """A file whose bytes the store must hold under their hash."""

    file_id: str
    sha256: str
    bytes: int


def stored(connection: Connection) -> Iterator[StoredFile]:
    """All accepted files and unpacked archives; however many there are, few are in memory at a time."""
    query = select(files.c.id, files.c.sha256, files.c.bytes).where(files.c.outcome.in_((Outcome.ACCEPTED, Outcome.UNPACKED)))
    for row in connection.execution_options(yield_per=_AT_A_TIME).execute(query):
        yield StoredFile(row.id, row.sha256, row.bytes)


def refused_hashes(connection: Connection) -> set[str]:
    """Of refused files that were read: the store keeps an archive that could not be unpacked under its hash, too."""
    refused = (files.c.outcome == Outcome.REFUSED, files.c.sha256.is_not(None))
    return set(connection.scalars(select(files.c.sha256).where(*refused)))


def is_accounted_for(connection: Connection, stay_key: str) -> bool:
    """Whether a file that stays in the inbox has its row."""
    return connection.scalar(select(files.c.id).where(files.c.stay_key == stay_key)) is not None


def dropped_as(connection: Connection, file_id: str) -> tuple[Priority, Modality | None]:
    """What the folders that a file was dropped into said of it: how urgent it is, and its modality if they named one."""
    row = connection.execute(select(files.c.priority, files.c.hint).where(files.c.id == file_id)).one()
    return Priority(row.priority), Modality(row.hint) if row.hint else None
