"""Archives: each is a file whose members become files of their own, by a job of the kind `unpack`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select, update

from db import drops, jobs
from db.clock import now
from db.drops import Drop
from db.insert import insert_new, slices
from db.jobs import Claim, NewJob
from db.scans import quarantine_file
from db.tables import Outcome, Priority, Rank, files
from db.tables import jobs as jobs_table
from lungline.findings import Modality
from lungline.reasons import Reason

UNPACK: Final = "unpack"  # the kind of job that makes drops of what an archive holds
QUEUE: Final = "archives"


@dataclass(frozen=True)
class Archive:
    """What a worker must know of an archive to unpack it."""

    file_id: str
    sha256: str
    priority: Priority
    hint: Modality | None


def enter(connection: Connection, drop: Drop) -> Outcome:
    """Enters an archive with the job to unpack it; entered before, it changes nothing. Which outcome it has now."""
    if insert_new(connection, files, **drops.file_row(drop, Outcome.UNPACKED), received_at=now()):
        is_urgent = drop.priority is Priority.STAT
        queue, rank = (Priority.STAT.value, Rank.STAT) if is_urgent else (QUEUE, Rank.LIVE)
        jobs.enter(connection, [NewJob(UNPACK, drop.id, queue, rank)])
    # None: it stays in the inbox, and was counted before
    return Outcome(connection.scalar(select(files.c.outcome).where(files.c.id == drop.id)) or Outcome.DUPLICATE)


def find(connection: Connection, file_ids: Sequence[str]) -> dict[str, Archive]:
    """What a worker must know of archives, by their ids."""
    found: dict[str, Archive] = {}
    columns = (files.c.id, files.c.sha256, files.c.priority, files.c.hint)
    for some in slices(file_ids):
        for row in connection.execute(select(*columns).where(files.c.id.in_(some))):
            found[row.id] = Archive(row.id, row.sha256, Priority(row.priority), Modality(row.hint) if row.hint else None)
    return found


def enter_members(connection: Connection, claim: Claim, members: Sequence[tuple[Drop, Reason | None]]) -> bool:
    """Enters some of what an archive holds, each with the reason why it is refused, if it is. Those that are there stay as they are.

    Returns:
        False, and nothing was entered, if the claim is void.
    """
    if connection.scalar(select(jobs_table.c.id).where(jobs.holds(claim))) is None:
        return False
    for drop, reason in members:
        if reason is not None:
            drops.refuse(connection, drop, reason)
    drops.accept_all(connection, [drop for drop, reason in members if reason is None])
    return True


def refuse(connection: Connection, file_id: str, reason: Reason) -> None:
    """An archive of which nothing is taken in, in the transaction that ends its job."""
    row = connection.execute(select(files.c.sha256, files.c.bytes).where(files.c.id == file_id)).one()
    connection.execute(update(files).where(files.c.id == file_id).values(outcome=Outcome.REFUSED))
    quarantine_file(connection, file_id, row.sha256, reason, row.bytes)


def turn_away(connection: Connection, claim: Claim, reason: Reason) -> bool:
    """Ends the job of an archive that cannot be unpacked; False, and nothing written, if the claim is void."""
    if not jobs.finish(connection, claim):
        return False
    refuse(connection, claim.subject, reason)
    return True
