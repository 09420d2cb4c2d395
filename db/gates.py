"""What the gate said of challengers: the ruling and every clause of it, a row each; and how often its scans were used."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select

from db import audit
from db.audit import Action
from db.clock import now
from db.insert import insert_new
from db.tables import clauses, gates

_LONGEST_REASON = 500


@dataclass(frozen=True)
class Gate:
    """A ruling on one challenger."""

    name: str  # xray or ct
    champion: str
    challenger: str
    decision: str  # promoted, refused or held
    reason: str
    uses: int
    clauses: tuple[Mapping[str, Any], ...]  # as `training.gate.Clause` tells them


def enter(connection: Connection, run_id: str, gate: Gate) -> None:
    """Enters a ruling, with a row in the audit; one that the run has for that name already stays."""
    values = {"champion": gate.champion, "challenger": gate.challenger, "decision": gate.decision, "uses": gate.uses}
    if not insert_new(connection, gates, run_id=run_id, name=gate.name, reason=gate.reason[:_LONGEST_REASON], judged_at=now(), **values):
        return
    rows = [_row(run_id, gate.name, number, clause) for number, clause in enumerate(gate.clauses)]
    connection.execute(insert(clauses), rows)
    audit.note(connection, Action.GATE, f"{gate.decision}: {gate.reason}", subject=gate.challenger)


def count_uses(connection: Connection, name: str) -> int:
    """How often challengers of that name were judged so far."""
    return int(connection.scalar(select(func.count()).select_from(gates).where(gates.c.name == name)) or 0)


def challengers(connection: Connection, run_id: str) -> list[str]:
    """The versions that a run put before the gate."""
    return list(connection.scalars(select(gates.c.challenger).where(gates.c.run_id == run_id)))


def _row(run_id: str, name: str, number: int, clause: Mapping[str, Any]) -> dict[str, Any]:
    figures = {column: clause[column] for column in _FIGURES}
    return {"run_id": run_id, "name": name, "number": number, "clause": clause["name"], **figures}


_FIGURES: Iterable[str] = ("source", "outcome", "champion", "challenger", "difference", "low", "high", "images", "groups")
