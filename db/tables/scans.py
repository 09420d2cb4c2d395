"""The tables of files and scans: drops, verdicts, and what readers say of them."""

from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    text,
)

from db.clock import UtcTime
from db.tables.base import id_column, metadata


class Outcome(StrEnum):
    """What became of a drop. `files` has one row a drop."""

    ACCEPTED = "accepted"  # new bytes: a scan stands for each frame
    DUPLICATE = "duplicate"  # these bytes were there already
    REFUSED = "refused"  # nothing that can be read, with a reason
    UNPACKED = "unpacked"  # an archive: what it holds are files of their own


class Priority(StrEnum):
    """Also the name of the queue that the doorbell goes to; the most urgent first."""

    STAT = "stat"
    SCANS = "scans"


files = Table(
    "files",
    metadata,
    id_column(),
    Column("outcome", String(9), nullable=False),
    Column("sha256", String(64)),  # NULL where the bytes could not be read
    Column("bytes", BigInteger, nullable=False),
    Column("priority", String(5), nullable=False),
    Column("hint", String(4)),  # the modality that its folder said
    Column("stay_key", String(16)),  # keyed hash of what was not moved out of the inbox, so that it counts once
    Column("received_at", UtcTime, nullable=False),
    Column("archive_id", String(36), ForeignKey("files.id")),  # the file that it was unpacked from
    CheckConstraint("outcome in ('accepted', 'duplicate', 'refused', 'unpacked')", name="outcome"),
    UniqueConstraint("stay_key"),
)
Index("ix_files_archive_id", files.c.archive_id)
Index("ix_files_sha256", files.c.sha256)
Index("ix_files_outcome", files.c.outcome)

scans = Table(
    "scans",
    metadata,
    id_column(),
    Column("file_id", String(36), ForeignKey("files.id"), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("frame", Integer, nullable=False),  # from 1
    Column("priority", String(5), nullable=False),
    Column("hint", String(4)),
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
    Column("reread_reason", String(32)),  # why its last reread failed
    Column("body_part", String(8)),
    Column("orientation", String(8)),
    Column("instance_number", Integer),
    Column("slice_position_mm", Double),  # along the slice's normal
    Column("slice_thickness_mm", Double),
    Column("slice_spacing_mm", Double),
    Column("kernel", String(8)),  # how sharp its reconstruction is
    Column("derivation", String(12)),
    Column("acquisition", Integer),
    Column("slices_expected", Integer),  # of its series, as its header says
    Column("lung_share", Double),  # of the body's box
    Column("header_version", Integer),  # which facts were looked for (db/results.py); NULL: those before series were known
    UniqueConstraint("sha256", "frame"),
)
Index("ix_scans_file_id", scans.c.file_id)
Index("ix_scans_image_key_frame", scans.c.image_key, scans.c.frame)
Index("ix_scans_series_key", scans.c.series_key)
Index("ix_scans_study_key", scans.c.study_key)

quarantine = Table(
    "quarantine",
    metadata,
    id_column(),
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
Index("ix_quarantine_file_id", quarantine.c.file_id)
Index("ix_quarantine_scan_id", quarantine.c.scan_id)
Index(
    "ix_quarantine_open",
    quarantine.c.scan_id,
    sqlite_where=text("released_at IS NULL"),
    postgresql_where=text("released_at IS NULL"),
)
Index("ix_quarantine_next_look_at", quarantine.c.next_look_at)

verdicts = Table(
    "verdicts",
    metadata,
    id_column(),
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
    Column("reinstated_at", UtcTime),  # when it became current anew, the last time
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

Index("ix_verdicts_finished_at", verdicts.c.finished_at)
# And `ix_verdicts_worklist`, by expressions, which only its migration knows (0020): Alembic cannot compare those.

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

labels = Table(  # what readers said of scans, or of the series or studies that these lie in; never altered
    "labels",
    metadata,
    id_column(),
    Column("scan_id", String(36), ForeignKey("scans.id"), nullable=False),
    Column("label", String(16), nullable=False),  # as it was given: on CT finer than a finding
    Column("finding", String(16), nullable=False),
    Column("reader", String(64), nullable=False),
    Column("read_at", UtcTime, nullable=False),
    Column("imported_at", UtcTime, nullable=False),
    Column("import_id", String(36), nullable=False),  # the row of the audit that tells of its file
    Column("scope", String(6), nullable=False),  # what the reader labelled: scan, series, study (lungline/label_rows.py)
    UniqueConstraint("scan_id", "reader", "read_at", "label", "scope"),
)

reprocesses = Table(  # what `lungline reprocess` was asked for
    "reprocesses",
    metadata,
    id_column(),
    Column("since", UtcTime),  # which scans: those taken in since then; NULL: whenever
    Column("finding", String(16)),  # whose finding it is; NULL: any
    Column("status", String(8)),  # whose status it is; NULL: any
    Column("champions", JSON, nullable=False),  # by which versions: name of the ensemble -> version
    Column("began_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),  # NULL: not all of them yet
)
