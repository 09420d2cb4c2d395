"""The ledger: every change of a scan's state, each one conditional UPDATE on the database's clock.

    (drop) --accept--> waiting --claim--> reading --results.record--> done
                          ^                  |--quarantine_scan--> quarantined --release--> waiting
                          |--give_back,------|
                          |  expire_leases
    done --read_again--> waiting, and so on; its verdict stands meanwhile, and whatever ends the reading, the scan is done again.
A doorbell in Redis only says "scan N waits"; a state is believed from here alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, not_, select, update

from db.clock import now
from db.doorbells import Look, unheard
from db.insert import insert_all, insert_new
from db.sparing import sparing
from db.tables import Priority, State, files, quarantine, scans
from lungline.findings import Modality
from lungline.ids import new_id
from lungline.reasons import Reason

LEASE_SECONDS = 40.0
DEATHS_ALLOWED = 1  # the second is blamed on the scan
ALONE_AFTER = 2  # lost leases
_MOST_CHANGED = 1000  # at a time
LOOK_AGAIN = (60.0, 600.0)  # seconds after which truncated bytes are looked at again


@dataclass(frozen=True)
class Claim:
    """A worker's right to read a scan. Owner and attempt are the fence: any later claim makes this one void."""

    scan_id: str
    file_id: str
    sha256: str
    frame: int
    hint: Modality | None
    priority: Priority
    owner: str
    attempt: int
    alone: bool  # two workers died that held it: nothing may be read beside it, and `read_alone` says when that begins
    waited_seconds: float  # since its file was taken in
    again: bool = False  # it has a verdict, which stands until this reading brings another


def insert_scan(connection: Connection, file_id: str, sha256: str, frame: int, priority: Priority, hint: Modality | None) -> bool:
    """Enters a scan that waits; False if this frame of these bytes has one."""
    return insert_new(connection, scans, **scan_row(file_id, sha256, frame, priority, hint), received_at=now())


def scan_row(file_id: str, sha256: str, frame: int, priority: Priority, hint: Modality | None) -> dict[str, object]:
    """A scan that waits; `received_at` is left to the database."""
    return {
        "id": new_id(),
        "file_id": file_id,
        "sha256": sha256,
        "frame": frame,
        "priority": priority,
        "hint": hint,
        "state": State.WAITING,
        "attempt": 0,
        "alone": False,
        "lost_leases": 0,
        "deaths": 0,
        "timeouts": 0,
        "again": False,
    }


def insert_quarantine(
    connection: Connection, id: str, file_id: str, scan_id: str | None, sha256: str | None, reason: Reason, detail: str, size: int
) -> None:
    """Enters what was turned away, and why; truncated bytes are looked at again."""
    insert_new(
        connection,
        quarantine,
        id=id,
        file_id=file_id,
        scan_id=scan_id,
        sha256=sha256,
        reason=reason,
        detail=detail,
        bytes=size,
        seen_at=now(),
        looks=0,
        next_look_at=now(LOOK_AGAIN[0]) if reason is Reason.TRUNCATED else None,
    )


# --- doorbells ---


def to_ring(connection: Connection, priority: Priority, most: int, look: Look | None, before: str | None = None) -> list[str]:
    """Waiting scans of one priority whose doorbell must be rung, oldest first; db/doorbells.py tells which these are."""
    waits = and_(scans.c.state == State.WAITING, scans.c.priority == priority, scans.c.again.is_(False))
    return unheard(connection, scans, "received_at", waits, most, look, before)


def rung(connection: Connection, scan_ids: Sequence[str]) -> list[str]:
    """Notes that these doorbells were rung now; returns those of which the database refuses to have it noted."""

    def note(ids: Sequence[str]) -> None:
        connection.execute(update(scans).where(scans.c.id.in_(ids), scans.c.state == State.WAITING).values(rung_at=now()))

    return sparing(connection, note, scan_ids)


def not_rung(connection: Connection, scan_ids: Sequence[str]) -> None:
    """Takes that back: Redis did not take these doorbells, so they are rung as soon as it does."""
    connection.execute(update(scans).where(scans.c.id.in_(scan_ids), scans.c.state == State.WAITING).values(rung_at=None))


# --- leases ---


def claim(connection: Connection, scan_id: str, owner: str) -> Claim | None:
    """Takes a waiting scan for `owner`, or None: another has it, or it is done. Exactly one of many callers gets it."""
    statement = (
        update(scans)
        .where(scans.c.id == scan_id, scans.c.state == State.WAITING)
        .values(
            state=State.READING,
            lease_owner=owner,
            lease_until=now(LEASE_SECONDS),
            attempt=scans.c.attempt + 1,
            alone=False,
        )
        .returning(scans, now().label("claimed_at"))
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    hint = Modality(row.hint) if row.hint else None
    alone = row.lost_leases >= ALONE_AFTER
    waited = (row.claimed_at - row.received_at).total_seconds()
    return Claim(row.id, row.file_id, row.sha256, row.frame, hint, Priority(row.priority), owner, row.attempt, alone, waited, row.again)


def held(claim: Claim) -> ColumnElement[bool]:
    """The fence as a condition: this very claim still holds."""
    return and_(
        scans.c.id == claim.scan_id,
        scans.c.state == State.READING,
        scans.c.lease_owner == claim.owner,
        scans.c.attempt == claim.attempt,
    )


def read_alone(connection: Connection, claim: Claim) -> None:
    """From now on the worker reads nothing but this scan: if it dies, it died of it."""
    connection.execute(update(scans).where(held(claim)).values(alone=True))


def renew(connection: Connection, owner: str, scan_ids: Sequence[str]) -> None:
    """Prolongs the leases that `owner` has in hand."""
    mine = and_(scans.c.lease_owner == owner, scans.c.state == State.READING)
    _change(connection, scan_ids, mine, {"lease_until": now(LEASE_SECONDS)})


def _change(connection: Connection, scan_ids: Sequence[str], here: ColumnElement[bool], values: Mapping[str, Any]) -> int:
    """Changes those of the scans for which `here` holds; how many. One that the database refuses to change spares the others."""
    changed: set[str] = set()

    def change(ids: Sequence[str]) -> None:
        statement = update(scans).where(scans.c.id.in_(ids), here).values(values).returning(scans.c.id)
        changed.update(connection.scalars(statement))

    return len(changed.difference(sparing(connection, change, scan_ids)))


def _change_all(connection: Connection, here: ColumnElement[bool], values: Mapping[str, Any]) -> int:
    """The same for all scans for which `here` holds."""
    ids = connection.scalars(select(scans.c.id).where(here).order_by(scans.c.id).limit(_MOST_CHANGED)).all()
    return _change(connection, ids, here, values)


_FREE = {"state": State.WAITING, "lease_owner": None, "lease_until": None, "rung_at": None}


def give_back(connection: Connection, claims: Sequence[Claim]) -> None:
    """A worker that stops puts what it did not finish back to waiting. Nobody is blamed."""
    for one in claims:
        connection.execute(update(scans).where(held(one)).values(_FREE))


def free_slot(connection: Connection, slot: str, boot: str) -> int:
    """A worker that starts in `slot` frees what its predecessor held: it is known to be dead. Returns how many scans.

    Blame only falls where the predecessor died alone: leases of an earlier boot of this host were lost to a power cut.
    """
    mine = and_(scans.c.state == State.READING, scans.c.lease_owner.startswith(f"{slot}/", autoescape=True))
    same_boot = scans.c.lease_owner.startswith(f"{slot}/{boot}/", autoescape=True)
    blamed = _change_all(connection, and_(mine, same_boot), _lost())
    return blamed + _change_all(connection, and_(mine, not_(same_boot)), _FREE)


def expire_leases(connection: Connection) -> int:
    """Frees scans whose lease ran out: their worker, or its host, is gone. Returns how many.

    A lease that lasts longer than any can is of a time before the clock was set back. It is cut, not ended: a living worker renews it.
    """
    too_long = and_(scans.c.state == State.READING, scans.c.lease_until > now(LEASE_SECONDS))
    _change_all(connection, too_long, {"lease_until": now(LEASE_SECONDS)})
    run_out = and_(scans.c.state == State.READING, scans.c.lease_until < now())
    return _change_all(connection, run_out, _lost())


def _lost() -> dict[str, object]:
    # A worker that dies takes the innocent along: only one that read this scan alone, twice, is held against it.
    return {
        **_FREE,
        "lost_leases": scans.c.lost_leases + 1,
        "deaths": scans.c.deaths + case((scans.c.alone, 1), else_=0),
    }


def condemn(connection: Connection) -> int:
    """Quarantines waiting scans to which more deaths are laid than allowed. Returns how many.

    To be asked in the transaction that freed some, and in no other: it looks at every scan that waits.
    """
    guilty = connection.execute(
        select(scans.c.id, scans.c.file_id, scans.c.sha256, scans.c.again, files.c.bytes)
        .join(files, files.c.id == scans.c.file_id)
        .where(scans.c.state == State.WAITING, scans.c.deaths > DEATHS_ALLOWED)
        .limit(1000)
    ).all()
    rows = {row.id: row for row in guilty}
    quarantined: set[str] = set()

    def turn_away(ids: Sequence[str]) -> None:
        quarantined.update(id for id in ids if _condemn(connection, rows[id]))

    return len(quarantined.difference(sparing(connection, turn_away, list(rows))))


def _condemn(connection: Connection, row: Any) -> bool:
    """True if it was quarantined."""
    left = connection.execute(
        update(scans)
        .where(scans.c.id == row.id, scans.c.state == State.WAITING, scans.c.deaths > DEATHS_ALLOWED)
        .values(_turned_away(Reason.READER_DIED, row.again))
    )
    if not left.rowcount or row.again:
        return False
    insert_quarantine(connection, new_id(), row.file_id, row.id, row.sha256, Reason.READER_DIED, Reason.READER_DIED.sentence, row.bytes)
    return True


# --- ends other than a verdict ---


def _turned_away(reason: Reason, again: bool) -> dict[str, object]:
    # one that was only to be read again keeps its verdict, and the reason why it has no newer one
    end = {"state": State.DONE, "again": False, "again_reason": reason} if again else {"state": State.QUARANTINED}
    return {**end, "lease_owner": None, "lease_until": None}


def quarantine_scan(connection: Connection, claim: Claim, reason: Reason, detail: str) -> bool:
    """Ends a claimed scan that cannot be read; False if the claim is void. One that was read again is done as before."""
    if connection.execute(update(scans).where(held(claim)).values(_turned_away(reason, claim.again))).rowcount == 0:
        return False
    if claim.again:
        return True
    size = connection.scalar(select(files.c.bytes).where(files.c.id == claim.file_id)) or 0
    insert_quarantine(connection, new_id(), claim.file_id, claim.scan_id, claim.sha256, reason, detail, size)
    return True


def blame(connection: Connection, claim: Claim, reason: Reason) -> bool:
    """The reader died with a scan, or took too long over it: it waits anew, and the second time is quarantined. True if it was."""
    column = scans.c.deaths if reason is Reason.READER_DIED else scans.c.timeouts
    counted = connection.execute(update(scans).where(held(claim)).values({column.name: column + 1}).returning(column)).scalar()
    if counted is None:
        return False
    if counted > DEATHS_ALLOWED:
        return quarantine_scan(connection, claim, reason, reason.sentence)
    give_back(connection, [claim])
    return False


def add_frames(connection: Connection, claim: Claim, frames: Iterable[int]) -> None:
    """Enters further frames of a file whose first frame was just read; those that are there stay as they are."""
    rows = [scan_row(claim.file_id, claim.sha256, frame, claim.priority, claim.hint) for frame in frames]
    insert_all(connection, scans, scans.c.id, rows, received_at=now())


def release(connection: Connection, quarantine_id: str) -> bool:
    """Lets a quarantined scan wait anew with a clean slate; False if there is none such, or it was released before."""
    scan_id = connection.execute(
        update(quarantine)
        .where(quarantine.c.id == quarantine_id, quarantine.c.released_at.is_(None), quarantine.c.scan_id.is_not(None))
        .values(released_at=now(), next_look_at=None)
        .returning(quarantine.c.scan_id)
    ).scalar()
    if scan_id is None:
        return False
    clean = {**_FREE, "lost_leases": 0, "deaths": 0, "timeouts": 0}  # not `attempt`: a fence never repeats
    connection.execute(update(scans).where(scans.c.id == scan_id, scans.c.state == State.QUARANTINED).values(clean))
    return True
