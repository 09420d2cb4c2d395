"""What became of a file that was put into the inbox, for those who wait for it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from db.archives import UNPACK
from db.scans import State, state_of
from db.tables import Outcome, audit, files, jobs, quarantine, scans, verdicts


@dataclass(frozen=True)
class DropOutcome:
    """How far a file is: `dropped` (not taken in yet), `waiting`, `reading`, `done`, `quarantined`, `refused` or `unpacked`.

    `detail`: the verdict, the reason why it was turned away, or what became of the files in an archive; empty while it is open.
    """

    outcome: str
    detail: str = ""
    was_known: bool = False  # done, and these bytes were there before
    turned_away: int = 0  # files in an archive that were refused or quarantined


def outcome_of(connection: Connection, sha256: str | None, size: int, since: datetime) -> DropOutcome:
    """What became of a file.

    Args:
        connection: for queries alone.
        sha256: of its bytes; None for one that is too large to be read.
        size: in bytes; tells files without a hash apart.
        since: earlier drops of the same bytes are not meant.
    """
    these = (files.c.sha256.is_(None), files.c.bytes == size) if sha256 is None else (files.c.sha256 == sha256,)
    drops = select(files.c.id, files.c.outcome).where(*these, files.c.received_at >= since)
    row = connection.execute(drops.order_by(files.c.id.desc())).first()
    if row is None:
        return _outcome_of_labels(connection, sha256, since)
    if row.outcome == Outcome.REFUSED:
        return DropOutcome("refused", str(connection.scalar(select(quarantine.c.reason).where(quarantine.c.file_id == row.id))))
    if row.outcome == Outcome.UNPACKED:
        return _outcome_of_archive(connection, row.id)
    return _outcome_of_scans(connection, sha256, since)


def _outcome_of_archive(connection: Connection, file_id: str) -> DropOutcome:
    """Of all that it holds: open while some of it is."""
    if connection.scalar(select(jobs.c.id).where(jobs.c.kind == UNPACK, jobs.c.subject == file_id)) is not None:
        return DropOutcome("waiting")
    members = select(files.c.outcome, func.count()).where(files.c.archive_id == file_id).group_by(files.c.outcome)
    by_outcome = {Outcome(outcome): int(count) for outcome, count in connection.execute(members)}
    of_archive = select(files.c.sha256).where(files.c.archive_id == file_id, files.c.outcome.in_((Outcome.ACCEPTED, Outcome.DUPLICATE)))
    each = select(state_of(scans.c.id).label("state")).where(scans.c.sha256.in_(of_archive)).subquery()
    states = select(each.c.state, func.count()).group_by(each.c.state)
    by_state = {State(state): int(count) for state, count in connection.execute(states)}
    if by_state.get(State.WAITING) or by_state.get(State.READING):
        return DropOutcome("reading")
    counts = {
        "scans done": by_state.get(State.DONE, 0),
        "quarantined": by_state.get(State.QUARANTINED, 0),
        "refused": by_outcome.get(Outcome.REFUSED, 0),
        "duplicates": by_outcome.get(Outcome.DUPLICATE, 0),
    }
    parts = [f"{sum(by_outcome.values())} files", *(f"{count} {name}" for name, count in counts.items() if count)]
    return DropOutcome("unpacked", ", ".join(parts), turned_away=counts["quarantined"] + counts["refused"])


def _outcome_of_labels(connection: Connection, sha256: str | None, since: datetime) -> DropOutcome:
    """Files of labels have no row in `files`; their import stands in the audit."""
    detail = connection.scalar(select(audit.c.detail).where(audit.c.subject == sha256, audit.c.at >= since))
    if not detail:
        return DropOutcome("dropped")
    return DropOutcome("refused" if detail.startswith("refused") else "done", detail)


def _outcome_of_scans(connection: Connection, sha256: str | None, since: datetime) -> DropOutcome:
    """One frame that was turned away, or is still open, speaks for all; else the first frame's verdict."""
    frames = select(scans.c.id, state_of(scans.c.id).label("state")).where(scans.c.sha256 == sha256)
    found = connection.execute(frames.order_by(scans.c.frame)).all()
    for state in (State.QUARANTINED, State.WAITING, State.READING):
        in_state = [scan.id for scan in found if scan.state == state]
        if in_state and state is State.QUARANTINED:
            reasons = select(quarantine.c.reason).where(quarantine.c.scan_id == in_state[0]).order_by(quarantine.c.seen_at.desc())
            return DropOutcome(state.value, str(connection.scalar(reasons.limit(1))))
        if in_state:
            return DropOutcome(state.value)
    return DropOutcome(State.DONE.value, _verdict(connection, found[0].id), _was_known(connection, sha256, since))


def _verdict(connection: Connection, scan_id: str) -> str:
    """A scan's current verdict in one line."""
    columns = (verdicts.c.finding, verdicts.c.probability, verdicts.c.status, verdicts.c.reason)
    current = (verdicts.c.scan_id == scan_id, verdicts.c.superseded_at.is_(None))
    verdict = connection.execute(select(*columns).where(*current)).one()
    if verdict.finding is None:
        return f"{verdict.status}, {verdict.reason}"
    why = f" ({verdict.reason})" if verdict.reason else ""
    return f"{verdict.finding} {verdict.probability:.3f}, {verdict.status}{why}"


def _was_known(connection: Connection, sha256: str | None, since: datetime) -> bool:
    before = (files.c.sha256 == sha256, files.c.outcome == Outcome.ACCEPTED, files.c.received_at < since)
    return connection.execute(select(files.c.id).where(*before).limit(1)).first() is not None
