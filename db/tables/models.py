"""The tables of models: versions, promotions, figures, and the training runs that make and judge them."""

from enum import StrEnum

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, Double, ForeignKey, Index, Integer, String, Table, text

from db.clock import UtcTime
from db.tables.base import id_column, metadata


class RunOutcome(StrEnum):
    """How a training run ended. While it has not, its job tells where it is (view `training_runs`)."""

    DONE = "done"  # has a decision
    FAILED = "failed"  # with a reason
    SKIPPED = "skipped"  # there was nothing new to learn


versions = Table(
    "versions",
    metadata,
    Column("version", String(80), primary_key=True),
    Column("kind", String(8), nullable=False),  # member or ensemble
    Column("name", String(64), nullable=False),
    Column("modality", String(4)),
    Column("state", String(10), nullable=False),  # challenger, champion, retired, refused
    Column("sha256", String(64), nullable=False),
    Column("shipped", Boolean, nullable=False),  # with a Lungline; else its files are in the store
    Column("run_id", String(36)),
    Column("created_at", UtcTime, nullable=False),
    Column("promoted_at", UtcTime),
    Column("promoted_by", String(64)),
    Column("why", String(300)),
)
Index(
    "uq_versions_champion",
    versions.c.kind,
    versions.c.name,
    unique=True,
    sqlite_where=text("state = 'champion'"),
    postgresql_where=text("state = 'champion'"),
)

promotions = Table(  # every change of a champion, never altered
    "promotions",
    metadata,
    id_column(),
    Column("name", String(64), nullable=False),
    Column("action", String(8), nullable=False),  # promote, rollback
    Column("from_version", String(80)),  # NULL: the first
    Column("to_version", String(80), nullable=False),
    Column("promoted_at", UtcTime, nullable=False),
    Column("promoted_by", String(64), nullable=False),
    Column("why", String(300), nullable=False),
)

quality = Table(
    "quality",
    metadata,
    Column("version", String(80), primary_key=True),
    Column("data", String(32), primary_key=True),  # which split, or set of labelled scans
    Column("metric", String(200), primary_key=True),
    Column("source", String(200), primary_key=True),  # empty: all of the data
    Column("value", Double, nullable=False),
    Column("low", Double),  # of its 95 % interval
    Column("high", Double),
    Column("images", Integer),
    Column("groups", Integer),
    Column("measured_at", UtcTime, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    id_column(),
    Column("slot", UtcTime, unique=True),  # of the schedule; NULL: by hand
    Column("trigger", String(8), nullable=False),  # schedule or hand
    Column("recipes", JSON, nullable=False),  # a list of names; empty until it is known which
    Column("forced", Boolean, nullable=False),  # whether it trains even if nothing is new
    Column("outcome", String(7)),  # NULL: it has not ended
    Column("decision", String(8)),
    Column("reason", String(500)),
    Column("data_sha256", String(64)),  # of the snapshot that it learnt from
    Column("manifest_sha256", String(64)),  # of LUNGLINE_TRAINING_DATA's manifest within it
    Column("labels", Integer),  # labelled scans of the store within it
    Column("labels_until", UtcTime),  # the latest of them
    Column("split", JSON(none_as_null=True)),  # name of each split -> how many scans it has
    Column("seed", Integer, nullable=False),
    Column("code_version", String(64)),
    Column("libraries", JSON(none_as_null=True)),  # name of each that computes -> its version
    Column("settings", JSON(none_as_null=True)),  # weights, device, promote -> what each was
    Column("entered_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("heartbeat_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("epochs_done", Integer, nullable=False),
    Column("step", String(120)),  # what it is at, for people
    Column("resumed", Integer, nullable=False),
    CheckConstraint("outcome in ('done', 'failed', 'skipped')", name="outcome"),
    CheckConstraint("decision in ('promoted', 'refused', 'held')", name="decision"),
)
gates = Table(  # what the gate said of a run's challenger for one modality
    "gates",
    metadata,
    Column("run_id", String(36), ForeignKey("runs.id"), primary_key=True),
    Column("name", String(64), primary_key=True),  # of the ensemble: xray, ct
    Column("champion", String(80), nullable=False),
    Column("challenger", String(80), nullable=False),
    Column("decision", String(8), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("uses", Integer, nullable=False),  # of the split `gate`, this one included
    Column("judged_at", UtcTime, nullable=False),
)

clauses = Table(
    "clauses",
    metadata,
    Column("run_id", String(36), ForeignKey("runs.id"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("clause", String(32), nullable=False),
    Column("source", String(200)),
    Column("outcome", String(9), nullable=False),
    Column("champion", Double),
    Column("challenger", Double),
    Column("difference", Double),
    Column("low", Double),
    Column("high", Double),
    Column("images", Integer),
    Column("groups", Integer),
)
