"""Readers' labels: kept as they were given, each once. Readings that contradict each other stand beside each other."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Connection, bindparam, func, select, text

from db import audit
from db.audit import Action
from db.clock import now
from db.insert import insert_all, slices
from db.rows import ViewRow, select_rows
from db.tables import audit as audit_rows
from db.tables import labels, scans
from lungline.findings import Modality, finding_of, label_of
from lungline.ids import new_id
from lungline.label_rows import Fault, LabelRow, LabelTable, Refused
from lungline.pseudonyms import PseudonymKey

_SHA256: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class _Scan:
    id: str
    frame: int
    modality: str | None


Found = Mapping[str, list[_Scan]]  # what a file's column holds -> the scans that it may mean


@dataclass(frozen=True)
class ImportedLabels:
    """What became of a file of labels."""

    import_id: str  # of its row in the audit
    added: int
    known: int  # rows that were there before
    refused: tuple[Refused, ...]  # by line
    conflicts: int  # scans of this file whose readings name more than one finding

    @property
    def text(self) -> str:
        """Counts alone."""
        rows = self.added + self.known + len(self.refused)
        conflicts = f"; the readings of {self.conflicts} scans contradict each other" if self.conflicts else ""
        return f"{rows} rows: {self.added} new, {self.known} known before, {len(self.refused)} refused{conflicts}."


def enter(
    connection: Connection,
    table: LabelTable,
    named: Mapping[str, set[str]],
    key: PseudonymKey,
    *,
    who: str,
    sha256: str,
    import_id: str | None = None,
) -> ImportedLabels:
    """Enters the rows that can be believed, and notes the import in the audit. Asked again, it adds nothing.

    Args:
        connection: in a transaction.
        table: of the file.
        named: name of each of its `file_names` -> hashes of the bytes that it may mean.
        key: under which instance UIDs stand in the database.
        who: a person, or the watcher.
        sha256: of the file.
        import_id: of an import that may have been broken off; else a new one.
    """
    import_id = import_id or new_id()
    found = _scans(connection, table, named, key)
    values, refused = [], list(table.refused)
    for row in table.rows:
        value = _value(row, found.get(row.scan.lower() if table.by == "sha256" else row.scan, []))
        if isinstance(value, Fault):
            refused.append(Refused(row.line, value))
        else:
            values.append(value)
    added = insert_all(connection, labels, labels.c.id, values, import_id=import_id, imported_at=now())
    conflicts = _conflicts(connection, {str(value["scan_id"]) for value in values})
    done = ImportedLabels(import_id, len(added), len(values) - len(added), tuple(sorted(refused, key=lambda row: row.line)), conflicts)
    _note(connection, import_id, done.text, who, sha256)
    return done


def refuse(connection: Connection, why: str, *, who: str, sha256: str | None, import_id: str) -> None:
    """Notes in the audit that a file is none of labels; asked again, it adds nothing."""
    _note(connection, import_id, f"refused: {why}", who, sha256)


def list_rows(connection: Connection, *, conflicts_only: bool) -> list[ViewRow]:
    """What `scan_labels` holds, scan by scan; `conflicts_only`: of scans whose labels contradict each other."""
    return select_rows(
        connection, f"SELECT * FROM scan_labels {'WHERE conflicts' if conflicts_only else ''} ORDER BY scan_id, read_at, reader"
    )


def _note(connection: Connection, import_id: str, detail: str, who: str, sha256: str | None) -> None:
    if connection.scalar(select(audit_rows.c.id).where(audit_rows.c.id == import_id)) is None:
        audit.note(connection, Action.LABELS, detail, who=who, subject=sha256, id=import_id)


def _value(row: LabelRow, candidates: Sequence[_Scan]) -> dict[str, object] | Fault:
    meant = [scan for scan in candidates if row.frame in (None, scan.frame)]
    if len(meant) != 1:
        return Fault.SEVERAL_SCANS if meant else Fault.UNKNOWN_SCAN
    if meant[0].modality is None:
        return Fault.NOT_READ_YET
    modality = Modality(meant[0].modality)
    try:
        label = label_of(modality, row.finding)
    except KeyError:
        return Fault.UNKNOWN_FINDING
    finding = finding_of(modality, label)
    return {"id": new_id(), "scan_id": meant[0].id, "label": label, "finding": finding, "reader": row.reader, "read_at": row.read_at}


def _scans(connection: Connection, table: LabelTable, named: Mapping[str, set[str]], key: PseudonymKey) -> Found:
    if table.by == "sop_instance_uid":
        keys = {row.scan: key.pseudonym("image", row.scan) for row in table.rows if row.scan}
        by_key = _by(connection, scans.c.image_key, set(keys.values()))
        return {said: _current(connection, by_key[known]) for said, known in keys.items() if known in by_key}
    if table.by == "file_name":
        by_hash = _by(connection, scans.c.sha256, {sha256 for all_ in named.values() for sha256 in all_})
        return {name: [scan for sha256 in sorted(all_) for scan in by_hash.get(sha256, [])] for name, all_ in named.items()}
    return _by(connection, scans.c.sha256, {row.scan.lower() for row in table.rows if _SHA256.fullmatch(row.scan.lower())})


def _current(connection: Connection, found: list[_Scan]) -> list[_Scan]:
    """Of an instance that was corrected, the correction."""
    if len(found) < 2:
        return found
    stand = text("SELECT scan_id FROM scan_results WHERE scan_id IN :ids").bindparams(bindparam("ids", expanding=True))
    ids = {scan_id for some in slices([scan.id for scan in found]) for scan_id in connection.scalars(stand, {"ids": list(some)})}
    return [scan for scan in found if scan.id in ids] or found


def _by(connection: Connection, column: Column[Any], values: Collection[str]) -> dict[str, list[_Scan]]:
    found: dict[str, list[_Scan]] = defaultdict(list)
    for some in slices(sorted(values)):
        query = select(scans.c.id, scans.c.frame, scans.c.modality, column.label("by")).where(column.in_(some))
        for row in connection.execute(query):
            found[row.by].append(_Scan(row.id, row.frame, row.modality))
    return dict(found)


def _conflicts(connection: Connection, scan_ids: Collection[str]) -> int:
    count = 0
    for some in slices(sorted(scan_ids)):
        torn = select(labels.c.scan_id).where(labels.c.scan_id.in_(some)).group_by(labels.c.scan_id)
        count += len(connection.scalars(torn.having(func.count(labels.c.finding.distinct()) > 1)).all())
    return count
