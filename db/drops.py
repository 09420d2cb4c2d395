"""Drops: a settled file becomes a row in `files`, and its scan one that waits; or it is a duplicate, or refused."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from db.clock import now
from db.insert import insert_all, insert_new, slices
from db.scans import NewScan, enter, hurry, quarantine_file, release
from db.tables import Outcome, Priority, files, quarantine, scans
from lungline.findings import Modality
from lungline.reasons import Reason


@dataclass(frozen=True)
class Drop:
    """A settled file, as the watcher hands it over. `id` is its row in `files`, and fixed before its bytes move."""

    id: str
    sha256: str | None  # lower-case hex; None if the bytes could not be read
    bytes: int
    priority: Priority
    hint: Modality | None
    stay_key: str | None = None
    archive_id: str | None = None
    """The file that it was unpacked from."""


def accept(connection: Connection, drop: Drop) -> Outcome:
    """Enters one drop as `accept_all` does."""
    return accept_all(connection, [drop])[0]


def accept_all(connection: Connection, drops: Sequence[Drop]) -> list[Outcome]:
    """Enters readable bytes, each drop as a new scan, or as a duplicate, which lets a quarantined scan try again and may make a waiting
    one urgent.

    Asked again for the same drop (after a crash), it answers as at first and changes nothing.
    """
    entered: dict[str, str] = {}
    for some in slices([drop.id for drop in drops]):
        entered |= {row.id: row.outcome for row in connection.execute(select(files.c.id, files.c.outcome).where(files.c.id.in_(some)))}
    # A file's row must stand before its scan's row may point to it; which of the two it is, the scan's unique key decides. All who
    # insert do so in the order of their unique keys, so that they wait for each other and not in a circle.
    fresh = sorted((drop for drop in drops if drop.id not in entered), key=lambda drop: drop.stay_key or "")
    kept = insert_all(connection, files, files.c.id, [file_row(drop, Outcome.ACCEPTED) for drop in fresh], received_at=now())
    # one that is not kept stays in the inbox and was counted before
    counted = sorted((drop for drop in fresh if drop.id in kept), key=lambda drop: str(drop.sha256))
    new = enter(connection, [NewScan(drop.id, str(drop.sha256), 1, drop.priority, drop.hint) for drop in counted])
    for drop in counted:
        if drop.id not in new:
            _enter_duplicate(connection, drop)
    return [Outcome(entered.get(drop.id, Outcome.ACCEPTED if drop.id in new else Outcome.DUPLICATE)) for drop in drops]


def _enter_duplicate(connection: Connection, drop: Drop) -> None:
    connection.execute(update(files).where(files.c.id == drop.id).values(outcome=Outcome.DUPLICATE))
    _retry_quarantined(connection, str(drop.sha256))
    if drop.priority is Priority.STAT:
        hurry(connection, str(drop.sha256))


def refuse(connection: Connection, drop: Drop, reason: Reason) -> bool:
    """Enters a drop that nobody can read; its quarantine row has the drop's own id. False if it stayed and was counted before."""
    if not insert_new(connection, files, **file_row(drop, Outcome.REFUSED), received_at=now()):
        return False
    quarantine_file(connection, drop.id, drop.sha256, reason, drop.bytes)
    return True


def file_row(drop: Drop, outcome: Outcome) -> dict[str, object]:
    """The row of a drop in `files`, but for when it was received."""
    return {**vars(drop), "outcome": outcome}


def _retry_quarantined(connection: Connection, sha256: str) -> None:
    ids = connection.scalars(
        select(quarantine.c.id)
        .join(scans, scans.c.id == quarantine.c.scan_id)
        .where(scans.c.sha256 == sha256, quarantine.c.released_at.is_(None))
    ).all()
    for row_id in ids:
        release(connection, row_id)
