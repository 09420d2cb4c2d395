"""Quarantine as people see it: what was turned away, and what they let try again."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select, update

from db.clock import now
from db.rows import ViewRow, select_rows
from db.tables import quarantine
from lungline.reasons import Reason


@dataclass(frozen=True)
class QuarantineRow:
    """A refused file, or a scan that could not be read."""

    quarantine_id: str
    file_id: str
    scan_id: str | None  # None: a refused file
    sha256: str | None  # None: its bytes were not read, or not whole


def list_rows(connection: Connection, *, released: bool) -> list[tuple[ViewRow, QuarantineRow]]:
    """What `quarantined_files` holds, in the order of its coming, each row with the ids of its file and scan; `released`: those too."""
    query = "SELECT v.*, q.file_id FROM quarantined_files v JOIN quarantine q ON q.id = v.quarantine_id"
    rows = select_rows(connection, f"{query} {'' if released else 'WHERE v.released_at IS NULL'} ORDER BY v.seen_at")
    return [({name: row[name] for name in row if name != "file_id"}, _ids(row)) for row in rows]


def newest_rows(connection: Connection, most: int, before: str = "") -> list[ViewRow]:
    """What was not released, with the columns of `quarantined_files`, the newest first; `before`: older than the row with this id."""
    older = "AND quarantine_id < :before" if before else ""  # ids sort by when they were entered
    query = f"SELECT * FROM quarantined_files WHERE released_at IS NULL {older} ORDER BY quarantine_id DESC LIMIT :most"
    return select_rows(connection, query, most=most, **({"before": before} if before else {}))


def find_open(connection: Connection, ids: Collection[str], reason: Reason | None) -> list[QuarantineRow]:
    """Rows that were not released: those with one of the ids, and those with the reason."""
    chosen = or_(quarantine.c.id.in_(ids), quarantine.c.reason == reason)
    query = select(quarantine.c.id, quarantine.c.file_id, quarantine.c.scan_id, quarantine.c.sha256).where(
        chosen, quarantine.c.released_at.is_(None)
    )
    return [QuarantineRow(row.id, row.file_id, row.scan_id, row.sha256) for row in connection.execute(query)]


def mark_file_released(connection: Connection, quarantine_id: str) -> bool:
    """Notes that a refused file goes back into the inbox; False if it was released before."""
    here = (quarantine.c.id == quarantine_id, quarantine.c.released_at.is_(None))
    return connection.execute(update(quarantine).where(*here).values(released_at=now())).rowcount > 0


def _ids(row: ViewRow) -> QuarantineRow:
    scan_id, sha256 = (str(row[name]) if row[name] else None for name in ("scan_id", "sha256"))
    return QuarantineRow(str(row["quarantine_id"]), str(row["file_id"]), scan_id, sha256)
