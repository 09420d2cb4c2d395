"""Files of readers' labels, row by row: what may be believed, and for all else a line number and a reason, never its content."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import PurePath
from typing import Final

from lungline import tables
from lungline.errors import LabelsError
from lungline.findings import Modality, labels
from lungline.tables import TableRecord

BYTES_MAX: Final = 4 << 20  # some 40,000 rows: read whole, and entered in one transaction that others wait for

SCAN_COLUMNS: Final = ("sha256", "sop_instance_uid", "file_name")
GROUP_COLUMNS: Final = ("series_instance_uid", "study_instance_uid")  # the narrower first
SCANS_MAX: Final = 100_000  # that a file may label by series or study: each is a row in that one transaction
_NEEDED: Final = ("finding", "reader", "read_at")
_READER_MAX: Final = 64
_AHEAD_MAX: Final = timedelta(days=1)  # a time zone that was left out, or a clock that is wrong; beyond that, a slip of the pen
_FORM: Final = "separated by commas, semicolons or tabs; see docs/data.md"
_DAMAGED: Final = "\ufffd"  # stands for what could not be decoded


class Scope(StrEnum):
    """What a reader labelled. Of several labels of a scan, the narrowest says what the scan shows."""

    SCAN = "scan"
    SERIES = "series"
    STUDY = "study"


_SCOPES: Final = dict(zip(GROUP_COLUMNS, (Scope.SERIES, Scope.STUDY), strict=True))


class Fault(StrEnum):
    """Why a row was not taken."""

    MALFORMED = "malformed"
    BAD_FRAME = "bad_frame"
    BAD_READER = "bad_reader"
    BAD_READ_AT = "bad_read_at"
    UNKNOWN_SCAN = "unknown_scan"
    SEVERAL_SCANS = "several_scans"
    NOT_READ_YET = "not_read_yet"
    UNKNOWN_FINDING = "unknown_finding"
    TOO_MANY_SCANS = "too_many_scans"

    @property
    def sentence(self) -> str:
        """What is wrong, for people."""
        return _SENTENCES[self]


_SENTENCES: Final = {
    Fault.MALFORMED: "the row has more or fewer cells than the header, other separators, or a quote that is not closed",
    Fault.BAD_FRAME: "the frame is not a number from 1 on, or stands beside a series or study",
    Fault.BAD_READER: f"the reader is empty, longer than {_READER_MAX} characters, or not printable: save the file in UTF-8",
    Fault.BAD_READ_AT: "read_at is not a time such as 2026-11-21T08:00:00+01:00, or it is in the future",
    Fault.UNKNOWN_SCAN: "there is no such scan, series or study",
    Fault.SEVERAL_SCANS: "the row fits several scans: name one by sha256, and by frame if the file has more than one; "
    "or several patients have this series or study",
    Fault.NOT_READ_YET: "the scan is not read yet, or is neither an X-ray nor a CT slice",
    Fault.UNKNOWN_FINDING: "the modality has no such finding; "
    f"X-ray: {', '.join(labels(Modality.XRAY))}; CT: {', '.join(labels(Modality.CT))}",
    Fault.TOO_MANY_SCANS: f"the rows above it label {SCANS_MAX:,} scans, as many as one file may: put it into another file",
}


@dataclass(frozen=True)
class LabelRow:
    """One row, before the database was asked. `scan` names a scan, series or study as the table's column does; it may name a patient, so it
    is shown nowhere."""

    line: int
    scan: str
    frame: int | None
    finding: str
    reader: str
    read_at: datetime  # aware, whole milliseconds


@dataclass(frozen=True)
class Refused:
    """A row that was not taken."""

    line: int  # of the file, from 1; where the row begins
    fault: Fault


@dataclass(frozen=True)
class LabelTable:
    """A file of labels. `by` is the column that says which scan, series or study."""

    by: str
    rows: tuple[LabelRow, ...]
    refused: tuple[Refused, ...]

    @property
    def scope(self) -> Scope:
        """What its rows label."""
        return _SCOPES.get(self.by, Scope.SCAN)

    @property
    def file_names(self) -> frozenset[str]:
        """Names of files whose scans are meant; none where another column says which."""
        return frozenset(row.scan for row in self.rows) if self.by == "file_name" else frozenset()


def read(data: bytes) -> LabelTable:
    """Reads a CSV file with a head: `finding`, `reader`, `read_at`, one of `SCAN_COLUMNS` or else of `GROUP_COLUMNS`, perhaps `frame`.

    A column of series or study UIDs beside one that names scans only says where these belong: the scans are labelled.

    Args:
        data: the file's bytes, as `tables.read` takes them; bytes that are no UTF-8 are kept, since a file's name may hold such.

    Raises:
        LabelsError: it is too large, has no such head, two columns of one name, or no row below its head.
    """
    if len(data) > BYTES_MAX:
        raise LabelsError(f"The file of labels has more than {BYTES_MAX >> 20} MiB: split it.")
    table = tables.read(data)
    head = [re.sub(r"[\s-]+", "_", name) for name in table.head]
    by = [name for name in SCAN_COLUMNS if name in head] or [name for name in GROUP_COLUMNS if name in head][:1]
    if len(by) != 1 or not set(_NEEDED) <= set(head):
        subjects = ", ".join((*SCAN_COLUMNS, *GROUP_COLUMNS))
        raise LabelsError(f"The file's header must have the columns {', '.join(_NEEDED)}, and one of {subjects}, {_FORM}.")
    if twice := tables.Table(tuple(head), ()).twice:
        raise LabelsError(f"Two columns of the file of labels have the same name: {_columns(twice)}. Remove or rename one of them.")
    if not table.records:
        raise LabelsError(f"The file of labels has no row below its header; each row must be {_FORM}.")
    read = [row for record in table.records for row in _rows(record, head, by[0])]
    rows = tuple(row for row in read if isinstance(row, LabelRow))
    return LabelTable(by[0], rows, tuple(row for row in read if isinstance(row, Refused)))


def _columns(twice: Sequence[tuple[str, int, int]]) -> str:
    """By name where it is one of ours: another may be anything, and this stands in the database."""
    ours = (*_NEEDED, *SCAN_COLUMNS, *GROUP_COLUMNS, "frame")
    return ", ".join(f"{f'`{name}`' if name in ours else 'one'} (columns {first} and {second})" for name, first, second in twice)


def _rows(record: TableRecord, head: list[str], by: str) -> list[LabelRow | Refused]:
    """The row; or what is wrong with it, for each of its lines where they are no row."""
    if record.cells is None:
        return [Refused(line, Fault.MALFORMED) for line in range(record.line, record.line + record.lines)]
    return [_row(record.line, head, record.cells, by)]


def _row(line: int, head: list[str], cells: Sequence[str], by: str) -> LabelRow | Refused:
    row = dict(zip(head, cells, strict=True))
    frame = row.get("frame", "")
    if frame and (by in GROUP_COLUMNS or not _is_frame(frame)):
        return Refused(line, Fault.BAD_FRAME)
    if not (0 < len(row["reader"]) <= _READER_MAX and row["reader"].isprintable() and _DAMAGED not in row["reader"]):
        return Refused(line, Fault.BAD_READER)
    read_at = _time(row["read_at"])
    if read_at is None or read_at > datetime.now(UTC) + _AHEAD_MAX:
        return Refused(line, Fault.BAD_READ_AT)
    scan = PurePath(row[by]).name if by == "file_name" else row[by]
    return LabelRow(line, scan, int(frame) if frame else None, row["finding"], row["reader"], read_at)


def _is_frame(said: str) -> bool:
    return said.isascii() and said.isdigit() and int(said[:9]) > 0 and len(said) < 9


def _time(said: str) -> datetime | None:
    """An ISO 8601 time, of UTC where it does not say; whole milliseconds, as SQLite keeps them."""
    try:
        time = datetime.fromisoformat(said)
        time = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
