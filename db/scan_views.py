"""What the views tell of scans: the newest verdicts, and all that is known of one scan."""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, text

from db.rows import ViewRow, select_rows
from db.scans import find_scans

_NEWEST: Final = "SELECT * FROM scan_results ORDER BY finished_at DESC, scan_id DESC LIMIT :most"
_CURRENT: Final = "SELECT * FROM scan_results WHERE scan_id = :id"
_LATEST: Final = "SELECT * FROM scan_history WHERE scan_id = :id ORDER BY coalesce(reinstated_at, finished_at) DESC LIMIT 1"
_PROBABILITIES: Final = "SELECT finding, probability FROM scan_probabilities WHERE scan_id = :id ORDER BY probability DESC"
_PREDICTIONS: Final = "SELECT member, finding, probability FROM model_predictions WHERE scan_id = :id"
_HISTORY: Final = "SELECT * FROM scan_history WHERE scan_id = :id ORDER BY coalesce(reinstated_at, finished_at) DESC"
_VERSIONS: Final = "SELECT DISTINCT member, member_version FROM model_predictions WHERE scan_id = :id"
_LABELS: Final = "SELECT * FROM scan_labels WHERE scan_id = :id ORDER BY read_at DESC"
_QUARANTINED: Final = "SELECT quarantine_id, reason, detail FROM quarantined_files WHERE scan_id = :id AND released_at IS NULL"


@dataclass(frozen=True)
class ScanRecord:
    """All that the database knows of a scan."""

    columns: ViewRow
    """Where it stands; of one that was judged all columns of `scan_results` (of `scan_history` where a correction took its place); of one
    that is quarantined also `quarantine_id`, `reason` and `detail`."""
    probabilities: dict[str, float] = field(default_factory=dict)
    """Finding -> calibrated probability."""
    predictions: dict[str, dict[str, float]] = field(default_factory=dict)
    """Member -> finding -> its own probability."""

    @property
    def scan_id(self) -> str:
        return str(self.columns["scan_id"])

    @property
    def sha256(self) -> str:
        """Of the original bytes."""
        return str(self.columns["sha256"])

    @property
    def frame(self) -> int:
        """Which frame of the file, from 1."""
        return int(str(self.columns["frame"]))


def newest_results(connection: Connection, most: int) -> list[ViewRow]:
    """The newest verdicts, with all columns of `scan_results`."""
    return select_rows(connection, _NEWEST, most=most)


def scan_history(connection: Connection, scan_id: str) -> list[ViewRow]:
    """All verdicts on a scan, past and current, the newest first, with the columns of `scan_history`."""
    return select_rows(connection, _HISTORY, id=scan_id)


def member_versions(connection: Connection, scan_id: str) -> dict[str, str]:
    """Member -> the version of it that gave the predictions of the current verdict."""
    return {str(row["member"]): str(row["member_version"]) for row in select_rows(connection, _VERSIONS, id=scan_id)}


def scan_labels(connection: Connection, scan_id: str) -> list[ViewRow]:
    """What readers said of a scan, the newest first, with the columns of `scan_labels`."""
    return select_rows(connection, _LABELS, id=scan_id)


def find_records(connection: Connection, *, scan_id: str | None = None, sha256: str | None = None) -> list[ScanRecord]:
    """The scan with an id, or those of all frames of the bytes with a hash; empty where there is none."""
    query = find_scans("sha256", sha256) if sha256 is not None else find_scans("id", scan_id or "")
    return [_record(connection, dict(row)) for row in connection.execute(query).mappings()]


def _record(connection: Connection, scan: ViewRow) -> ScanRecord:
    of_scan = {"id": scan["scan_id"]}
    quarantined = connection.execute(text(_QUARANTINED), of_scan).mappings().first()
    predictions: dict[str, dict[str, float]] = {}
    for row in connection.execute(text(_PREDICTIONS), of_scan):
        predictions.setdefault(row.member, {})[row.finding] = row.probability
    return ScanRecord(
        {**scan, **_verdict(connection, str(scan["scan_id"])), **(quarantined or {})},
        {row.finding: row.probability for row in connection.execute(text(_PROBABILITIES), of_scan)},
        predictions,
    )


def _verdict(connection: Connection, scan_id: str) -> ViewRow:
    """The current verdict; of a scan that a correction took the place of, the one it had, which tells since when it is superseded."""
    rows = select_rows(connection, _CURRENT, id=scan_id) or select_rows(connection, _LATEST, id=scan_id)
    return rows[0] if rows else {}
