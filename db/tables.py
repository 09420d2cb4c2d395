"""The tables. What people query are the views over them (db/views.py); these may change with any migration."""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

from db.clock import UtcTime


class Outcome(StrEnum):
    """What became of a drop. `files` has one row a drop."""

    ACCEPTED = "accepted"  # new bytes: a scan stands for each frame
    DUPLICATE = "duplicate"  # these bytes were there already
    REFUSED = "refused"  # nothing that can be read, with a reason


class State(StrEnum):
    """Where a scan is. Changed by conditional UPDATE alone (db/ledger.py)."""

    WAITING = "waiting"  # for a worker; its doorbell may be rung, lost, or not yet rung
    READING = "reading"  # a worker holds its lease
    DONE = "done"  # has one current verdict, which may be `rejected`
    QUARANTINED = "quarantined"  # could not be read, with a reason


class Priority(StrEnum):
    """Also the name of the queue that the doorbell goes to; the most urgent first."""

    STAT = "stat"
    SCANS = "scans"


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id(name: str = "id") -> Column[str]:
    return Column(name, String(36), primary_key=True)


files = Table(
    "files",
    metadata,
    _id(),
    Column("outcome", String(9), nullable=False),
    Column("sha256", String(64)),  # NULL where the bytes could not be read
    Column("bytes", BigInteger, nullable=False),
    Column("priority", String(5), nullable=False),
    Column("hint", String(4)),  # the modality that its folder said
    Column("stay_key", String(16)),  # keyed hash of what was not moved out of the inbox, so that it counts once
    Column("received_at", UtcTime, nullable=False),
    CheckConstraint("outcome in ('accepted', 'duplicate', 'refused')", name="outcome"),
    UniqueConstraint("stay_key"),
)
Index("ix_files_sha256", files.c.sha256)

scans = Table(
    "scans",
    metadata,
    _id(),
    Column("file_id", String(36), ForeignKey("files.id"), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("frame", Integer, nullable=False),  # from 1
    Column("priority", String(5), nullable=False),
    Column("hint", String(4)),
    Column("state", String(11), nullable=False),
    Column("attempt", Integer, nullable=False),  # how often it was claimed; half of the fence
    Column("lease_owner", String(120)),  # the other half
    Column("lease_until", UtcTime),
    Column("alone", Boolean, nullable=False),  # the present lease reads nothing beside it
    Column("lost_leases", Integer, nullable=False),  # workers that died while holding it: two, and it is read alone
    Column("deaths", Integer, nullable=False),  # what can be blamed on it: readers that died with it, workers that died alone with it
    Column("timeouts", Integer, nullable=False),
    Column("rung_at", UtcTime),  # NULL: its doorbell is still to be rung
    Column("received_at", UtcTime, nullable=False),
    Column("modality", String(4)),
    Column("patient_key", String(16)),
    Column("patient_sex", String(1)),
    Column("patient_age_band", String(5)),
    Column("study_key", String(16)),
    Column("series_key", String(16)),
    Column("image_key", String(16)),
    Column("view", String(16)),
    Column("manufacturer", String(64)),
    Column("device_model", String(64)),
    Column("rows", Integer),
    Column("columns", Integer),
    CheckConstraint("state in ('waiting', 'reading', 'done', 'quarantined')", name="state"),
    UniqueConstraint("sha256", "frame"),
)
Index("ix_scans_state_priority_received_at", scans.c.state, scans.c.priority, scans.c.received_at)
Index("ix_scans_file_id", scans.c.file_id)

quarantine = Table(
    "quarantine",
    metadata,
    _id(),
    Column("file_id", String(36), ForeignKey("files.id"), nullable=False),
    Column("scan_id", String(36), ForeignKey("scans.id")),  # NULL for a refused file
    Column("sha256", String(64)),
    Column("reason", String(32), nullable=False),
    Column("detail", String(300), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("released_at", UtcTime),
    Column("looks", Integer, nullable=False),  # how often its bytes were looked at again
    Column("next_look_at", UtcTime),  # NULL: no more
)
Index("ix_quarantine_scan_id", quarantine.c.scan_id)
Index("ix_quarantine_next_look_at", quarantine.c.next_look_at)

verdicts = Table(
    "verdicts",
    metadata,
    _id(),
    Column("scan_id", String(36), ForeignKey("scans.id"), nullable=False),
    Column("ensemble", String(64), nullable=False),
    Column("finding", String(16)),  # NULL for rejected alone
    Column("probability", Double),
    Column("status", String(8), nullable=False),
    Column("reason", String(32)),
    Column("disagreement", Double),
    Column("entropy", Double),
    Column("finished_at", UtcTime, nullable=False),
    Column("superseded_at", UtcTime),
    CheckConstraint("(finding is null) = (status = 'rejected')", name="finding"),
    UniqueConstraint("scan_id", "ensemble"),
)
Index(
    "uq_verdicts_current",
    verdicts.c.scan_id,
    unique=True,
    sqlite_where=text("superseded_at IS NULL"),
    postgresql_where=text("superseded_at IS NULL"),
)

probabilities = Table(
    "probabilities",
    metadata,
    Column("verdict_id", String(36), ForeignKey("verdicts.id"), primary_key=True),
    Column("finding", String(16), primary_key=True),
    Column("probability", Double, nullable=False),
)

predictions = Table(
    "predictions",
    metadata,
    Column("verdict_id", String(36), ForeignKey("verdicts.id"), primary_key=True),
    Column("member", String(64), primary_key=True),
    Column("finding", String(16), primary_key=True),
    Column("member_version", String(80), nullable=False),
    Column("probability", Double, nullable=False),
)

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
    _id(),
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

facts = Table(  # of this home: the fingerprint of its key
    "facts",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", String(120), nullable=False),
)
