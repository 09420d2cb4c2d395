"""The tables. What people query are the views over them (db/views.py); these may change with any migration."""

from db.tables.base import audit, facts, metadata
from db.tables.deliveries import delivery_targets, outgoing_objects
from db.tables.jobs import JobState, Rank, jobs, paused_queues
from db.tables.models import RunOutcome, clauses, gates, promotions, quality, runs, versions
from db.tables.scans import (
    Outcome,
    Priority,
    files,
    labels,
    predictions,
    probabilities,
    quarantine,
    reprocesses,
    scans,
    verdicts,
)
from db.tables.series import Stage, series, series_assessments, studies, study_assessments
from db.tables.users import Role, logins, users

__all__ = [
    "JobState",
    "Outcome",
    "Priority",
    "Rank",
    "Role",
    "RunOutcome",
    "Stage",
    "audit",
    "clauses",
    "delivery_targets",
    "facts",
    "files",
    "gates",
    "jobs",
    "labels",
    "logins",
    "metadata",
    "outgoing_objects",
    "paused_queues",
    "predictions",
    "probabilities",
    "promotions",
    "quality",
    "quarantine",
    "reprocesses",
    "runs",
    "scans",
    "series",
    "series_assessments",
    "studies",
    "study_assessments",
    "users",
    "verdicts",
    "versions",
]
