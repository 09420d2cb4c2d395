"""Truncated files: which are due to be looked at once more, and what becomes of a scan whose bytes have changed since."""

from dataclasses import dataclass

from sqlalchemy import Connection, Select, delete, select, update

from db import scans as scan_states
from db.clock import now
from db.scans import RELOOK_SECONDS, State
from db.tables import Outcome, files, quarantine, scans


@dataclass(frozen=True)
class TruncatedScan:
    """A scan in quarantine whose bytes end too early."""

    quarantine_id: str
    scan_id: str
    file_id: str
    sha256: str
    looks: int
    """How often its bytes were looked at since."""


def find_due(connection: Connection, most: int) -> list[TruncatedScan]:
    """Those whose next look is due, the longest due first."""
    query = _open().where(quarantine.c.next_look_at <= now()).order_by(quarantine.c.next_look_at, quarantine.c.id).limit(most)
    return [TruncatedScan(**row) for row in connection.execute(query).mappings()]


def find_by_bytes(connection: Connection, sha256: str) -> TruncatedScan | None:
    """One in quarantine that has these bytes."""
    row = connection.execute(_open().where(quarantine.c.sha256 == sha256).limit(1)).mappings().first()
    return TruncatedScan(**row) if row else None


def _open() -> Select[tuple[str, str, str, str, int]]:
    columns = (quarantine.c.scan_id, quarantine.c.file_id, quarantine.c.sha256, quarantine.c.looks)
    query = select(quarantine.c.id.label("quarantine_id"), *columns)
    return query.where(quarantine.c.released_at.is_(None), quarantine.c.scan_id.is_not(None))


def is_still_read(connection: Connection, sha256: str) -> bool:
    """Whether a scan of these bytes waits or is read."""
    is_open = scan_states.state_of(scans.c.id).in_((State.WAITING, State.READING))
    return connection.scalar(select(scans.c.id).where(scans.c.sha256 == sha256, is_open).limit(1)) is not None


def size_of(connection: Connection, sha256: str) -> int | None:
    """How many bytes a file of this hash has; None if none was entered."""
    size: int | None = connection.scalar(select(files.c.bytes).where(files.c.sha256 == sha256).limit(1))
    return size


def find_known(connection: Connection, hashes: set[str]) -> set[str]:
    """Those hashes that a file has."""
    return {str(sha256) for sha256 in connection.scalars(select(files.c.sha256).where(files.c.sha256.in_(hashes)))}


def note_unchanged(connection: Connection, truncated: TruncatedScan) -> None:
    """A look found the same bytes, or none: the next is due later, or there is none."""
    looks = truncated.looks + 1
    gap = RELOOK_SECONDS[looks] - RELOOK_SECONDS[looks - 1] if looks < len(RELOOK_SECONDS) else None
    later = {"looks": looks, "next_look_at": None if gap is None else now(gap)}
    connection.execute(update(quarantine).where(quarantine.c.id == truncated.quarantine_id).values(later))


def put_off(connection: Connection, truncated: TruncatedScan) -> None:
    """A look failed: it is due once more as soon as a first one."""
    row = update(quarantine).where(quarantine.c.id == truncated.quarantine_id)
    connection.execute(row.values(next_look_at=now(RELOOK_SECONDS[0])))


def replace_bytes(connection: Connection, truncated: TruncatedScan, new: str, size: int) -> bool:
    """The bytes of a file have become others: its scans wait to be read anew. Where these bytes came by another way before, it is their
    duplicate, and the truncated scan goes.

    Args:
        connection: in a transaction.
        truncated: as it was found.
        new: hash of what the file has become.
        size: of it, in bytes.

    Returns:
        False if it was released meanwhile: then a worker may be reading it by its old hash, and will find it truncated again.
    """
    is_open = (quarantine.c.id == truncated.quarantine_id) & quarantine.c.released_at.is_(None)
    if connection.execute(update(quarantine).where(is_open).values(next_look_at=None)).rowcount == 0:
        return False
    old = truncated.sha256
    connection.execute(update(files).where(files.c.sha256 == old).values(sha256=new, bytes=size))
    if connection.scalar(select(scans.c.id).where(scans.c.sha256 == new).limit(1)) is None:
        connection.execute(update(scans).where(scans.c.sha256 == old).values(sha256=new))  # every frame of it
        _release_all(connection, new)
    else:
        _make_duplicate(connection, truncated, new)
    return True


def _release_all(connection: Connection, sha256: str) -> None:
    of_bytes = select(quarantine.c.id).join(scans, scans.c.id == quarantine.c.scan_id).where(scans.c.sha256 == sha256)
    for quarantine_id in connection.scalars(of_bytes.where(quarantine.c.released_at.is_(None))).all():
        scan_states.release(connection, quarantine_id)


def _make_duplicate(connection: Connection, truncated: TruncatedScan, new: str) -> None:
    is_truncated = scan_states.state_of(scans.c.id) == State.QUARANTINED
    ids = list(connection.scalars(select(scans.c.id).where(scans.c.sha256 == truncated.sha256, is_truncated)))
    connection.execute(delete(quarantine).where(quarantine.c.scan_id.in_(ids)))
    connection.execute(update(files).where(files.c.sha256 == new, files.c.id == truncated.file_id).values(outcome=Outcome.DUPLICATE))
    connection.execute(delete(scans).where(scans.c.id.in_(ids)))
