"""Scans as a result shows them: where their bytes are, their verdict, and what each member of the ensemble said."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from db.tables import predictions, scans, verdicts


@dataclass(frozen=True)
class MemberSays:
    """The calibrated probabilities of one member, by finding."""

    member: str
    version: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class ShownImage:
    """A scan with its current verdict."""

    scan_id: str
    file_id: str
    sha256: str
    frame: int
    """From 1."""
    position_mm: float | None
    finding: str | None
    probability: float | None
    members: tuple[MemberSays, ...]


def find(connection: Connection, scan_ids: Sequence[str]) -> list[ShownImage]:
    """These scans, in this order; those without a verdict are left out."""
    both = scans.join(verdicts, verdicts.c.scan_id == scans.c.id)
    query = select(scans, verdicts.c.finding, verdicts.c.probability, verdicts.c.id.label("verdict_id")).select_from(both)
    rows = {row.id: row for row in connection.execute(query.where(scans.c.id.in_(scan_ids), verdicts.c.superseded_at.is_(None)))}
    members = _members(connection, [row.verdict_id for row in rows.values()])
    return [
        ShownImage(
            scan_id=row.id,
            file_id=row.file_id,
            sha256=row.sha256,
            frame=row.frame,
            position_mm=row.slice_position_mm,
            finding=row.finding,
            probability=row.probability,
            members=members.get(row.verdict_id, ()),
        )
        for row in (rows[scan_id] for scan_id in scan_ids if scan_id in rows)
    ]


def _members(connection: Connection, verdict_ids: Sequence[str]) -> dict[str, tuple[MemberSays, ...]]:
    said: dict[str, dict[tuple[str, str], dict[str, float]]] = {}
    query = select(predictions).where(predictions.c.verdict_id.in_(verdict_ids)).order_by(predictions.c.member)
    for row in connection.execute(query):
        said.setdefault(row.verdict_id, {}).setdefault((row.member, row.member_version), {})[row.finding] = row.probability
    return {verdict: tuple(MemberSays(*who, what) for who, what in by_member.items()) for verdict, by_member in said.items()}
