"""Scans entered into a ledger, for tests of what becomes of them there."""

from sqlalchemy import select

from db import drops
from db.drops import Drop
from db.tables import Priority, scans
from db.writer import Writer
from lungline.ids import new_id


def any_drop(priority: Priority = Priority.SCANS) -> Drop:
    """A file with bytes that no other has."""
    return Drop(new_id(), new_id().replace("-", "") * 2, 1, priority, None)


def enter(writer: Writer, drop: Drop) -> str:
    """Enters a drop; the id of its scan."""
    writer.do(lambda connection: drops.accept(connection, drop))
    return str(writer.do(lambda connection: connection.scalar(select(scans.c.id).where(scans.c.file_id == drop.id))))
