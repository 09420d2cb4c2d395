"""Readers' labels: kept as they were given, each once. Readings that contradict each other stand beside each other.

A label of a series or study is kept with each of its scans that has been read, and says what its reader labelled.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Connection, bindparam, func, insert, select, text

from db import audit
from db.audit import Action
from db.clock import now
from db.insert import insert_all, slices
from db.rows import ViewRow, select_rows
from db.tables import audit as audit_rows
from db.tables import labels, scans
from lungline.findings import Modality, finding_of, label_of
from lungline.ids import new_id
from lungline.label_rows import SCANS_MAX, Fault, LabelRow, LabelTable, Refused, Scope
from lungline.pseudonyms import PseudonymKey

_SHA256: Final = re.compile("[0-9a-f]{64}")
_KEYS: Final[Mapping[str, tuple[str, Column[Any]]]] = {  # a column of UIDs -> of what they are, and where their pseudonyms stand
    "sop_instance_uid": ("image", scans.c.image_key),
    "series_instance_uid": ("series", scans.c.series_key),
    "study_instance_uid": ("study", scans.c.study_key),
}


@dataclass(frozen=True)
class _Scan:
    id: str
    frame: int
    modality: str | None
    patient_key: str | None


Found = Mapping[str, list[_Scan]]  # what a file's column holds -> the scans that it may mean


@dataclass(frozen=True)
class ImportedLabels:
    """What became of a file of labels."""

    import_id: str  # of its row in the audit
    added: int  # rows that labelled a scan anew
    known: int  # rows that were there before
    refused: tuple[Refused, ...]  # by line
    conflicts: int  # scans of this file whose readings of one scope name more than one finding

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
        key: under which UIDs stand in the database.
        who: a person, or the watcher.
        sha256: of the file.
        import_id: of an import that may have been broken off; else a new one.
    """
    import_id = import_id or new_id()
    found = _scans(connection, table, named, key)
    values: list[dict[str, object]] = []
    taken: list[set[str]] = []  # ids of the labels of each row
    refused = list(table.refused)
    for row in table.rows:
        candidates = found.get(row.scan.lower() if table.by == "sha256" else row.scan, [])
        meant = _one_scan(row, candidates) if table.scope is Scope.SCAN else _scans_of_group(row, candidates, len(values))
        if isinstance(meant, Fault):
            refused.append(Refused(row.line, meant))
        else:
            taken.append({str(value["id"]) for value in meant})
            values += meant
    added = insert_all(connection, labels, labels.c.id, values, import_id=import_id, imported_at=now(), scope=table.scope)
    new = sum(1 for ids in taken if ids & added)
    conflicts = _conflicts(connection, {str(value["scan_id"]) for value in values}, table.scope)
    done = ImportedLabels(import_id, new, len(taken) - new, tuple(sorted(refused, key=lambda row: row.line)), conflicts)
    _note(connection, import_id, done.text, who, sha256)
    return done


def add(connection: Connection, scan_id: str, said: str, *, reader: str) -> Fault | None:
    """Enters what a user of the page says of one scan now, and notes it in the audit; returns what is wrong, or None."""
    row = connection.execute(select(scans.c.modality).where(scans.c.id == scan_id)).first()
    if row is None:
        return Fault.UNKNOWN_SCAN
    if row.modality is None:
        return Fault.NOT_READ_YET
    modality = Modality(row.modality)
    try:
        label = label_of(modality, said)
    except KeyError:
        return Fault.UNKNOWN_FINDING
    import_id, finding = new_id(), finding_of(modality, label)
    values = {"scan_id": scan_id, "label": label, "finding": finding, "reader": reader, "import_id": import_id, "scope": Scope.SCAN}
    connection.execute(insert(labels).values(id=new_id(), read_at=now(), imported_at=now(), **values))
    audit.note(connection, Action.LABELS, f"labelled a scan {label} on the page", who=reader, subject=scan_id, id=import_id)
    return None


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


def _one_scan(row: LabelRow, candidates: Sequence[_Scan]) -> list[dict[str, object]] | Fault:
    meant = [scan for scan in candidates if row.frame in (None, scan.frame)]
    if len(meant) != 1:
        return Fault.SEVERAL_SCANS if meant else Fault.UNKNOWN_SCAN
    if meant[0].modality is None:
        return Fault.NOT_READ_YET
    return _labels_of(row, meant) or Fault.UNKNOWN_FINDING


def _scans_of_group(row: LabelRow, candidates: Sequence[_Scan], before: int) -> list[dict[str, object]] | Fault:
    """A label for each scan of a series or study whose modality has the finding; `before`: how many labels the file has so far."""
    if len({scan.patient_key for scan in candidates}) > 1:
        return Fault.SEVERAL_SCANS
    read = [scan for scan in candidates if scan.modality is not None]
    if not read:
        return Fault.NOT_READ_YET if candidates else Fault.UNKNOWN_SCAN
    if before + len(read) > SCANS_MAX:
        return Fault.TOO_MANY_SCANS
    return _labels_of(row, read) or Fault.UNKNOWN_FINDING


def _labels_of(row: LabelRow, read: Sequence[_Scan]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for scan in read:
        modality = Modality(str(scan.modality))
        with suppress(KeyError):
            label = label_of(modality, row.finding)
            said = {"label": label, "finding": finding_of(modality, label), "reader": row.reader, "read_at": row.read_at}
            found.append({"id": new_id(), "scan_id": scan.id, **said})
    return found


def _scans(connection: Connection, table: LabelTable, named: Mapping[str, set[str]], key: PseudonymKey) -> Found:
    if table.by in _KEYS:
        what, column = _KEYS[table.by]
        keys = {row.scan: key.pseudonym(what, row.scan) for row in table.rows if row.scan}
        by_key = _by(connection, column, set(keys.values()))
        return {said: _current(connection, by_key[known]) for said, known in keys.items() if known in by_key}
    if table.by == "file_name":
        by_hash = _by(connection, scans.c.sha256, {sha256 for all_ in named.values() for sha256 in all_})
        return {name: [scan for sha256 in sorted(all_) for scan in by_hash.get(sha256, [])] for name, all_ in named.items()}
    return _by(connection, scans.c.sha256, {row.scan.lower() for row in table.rows if _SHA256.fullmatch(row.scan.lower())})


def _current(connection: Connection, found: list[_Scan]) -> list[_Scan]:
    """Of instances that were corrected, the corrections."""
    if len(found) < 2:
        return found
    stand = text("SELECT scan_id FROM scan_results WHERE scan_id IN :ids").bindparams(bindparam("ids", expanding=True))
    ids = {scan_id for some in slices([scan.id for scan in found]) for scan_id in connection.scalars(stand, {"ids": list(some)})}
    return [scan for scan in found if scan.id in ids] or found


def _by(connection: Connection, column: Column[Any], values: Collection[str]) -> dict[str, list[_Scan]]:
    found: dict[str, list[_Scan]] = defaultdict(list)
    for some in slices(sorted(values)):
        query = select(scans.c.id, scans.c.frame, scans.c.modality, scans.c.patient_key, column.label("by")).where(column.in_(some))
        for row in connection.execute(query):
            found[row.by].append(_Scan(row.id, row.frame, row.modality, row.patient_key))
    return dict(found)


def _conflicts(connection: Connection, scan_ids: Collection[str], scope: Scope) -> int:
    count = 0
    for some in slices(sorted(scan_ids)):
        torn = select(labels.c.scan_id).where(labels.c.scan_id.in_(some), labels.c.scope == scope).group_by(labels.c.scan_id)
        count += len(connection.scalars(torn.having(func.count(labels.c.finding.distinct()) > 1)).all())
    return count
