"""The tables. What people query are the views over them (db/views.py); these may change with any migration."""

from db.tables.base import audit, facts, metadata
from db.tables.models import RunState, clauses, gates, promotions, quality, runs, versions
from db.tables.scans import (
    Outcome,
    Priority,
    State,
    files,
    labels,
    predictions,
    probabilities,
    quarantine,
    reprocesses,
    scans,
    state_told,
    verdicts,
)

__all__ = [
    "Outcome",
    "Priority",
    "RunState",
    "State",
    "audit",
    "clauses",
    "facts",
    "files",
    "gates",
    "labels",
    "metadata",
    "predictions",
    "probabilities",
    "promotions",
    "quality",
    "quarantine",
    "reprocesses",
    "runs",
    "scans",
    "state_told",
    "verdicts",
    "versions",
]
