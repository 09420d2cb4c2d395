"""The store's own labelled scans as training data, and how they join a manifest without a patient of test ever reaching training.

Which side a patient is on is a function of its key alone, for ever. Where that contradicts a manifest, or pictures that belong together are
on two sides, nobody is moved: what is on the less protected side is left out.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from db.tables import labels, scans, verdicts
from lungline.errors import TrainingError
from lungline.findings import Modality, Status, finding_of
from lungline.label_rows import Scope
from lungline.layout import Store
from lungline.pseudonyms import PseudonymKey
from models import series_rule
from training.data import manifests
from training.data.builders import assemble
from training.data.builders.groups import side_of
from training.data.builders.labelled_picture import LabelledPicture

SOURCE: Final = "store"  # of scans whose header tells no manufacturer

_FIRST: Final = 2  # as a manifest numbers its rows


@dataclass(frozen=True)
class Joined:
    """A manifest with the store's labelled scans in it."""

    rows: tuple[manifests.Row, ...]
    skipped: Counter[str]  # why -> how many pictures


def find_labelled_rows(connection: Connection, store: Store, skipped: Counter[str] | None = None) -> list[manifests.Row]:
    """Scans of the store whose readers agree, as rows of a manifest; paths lead to nameless links in `STORE/labelled`.

    Args:
        connection: to the database.
        store: where the bytes lie; links are made there.
        skipped: where to count what is left out, by why.

    Raises:
        TrainingError: the store cannot be written.
    """
    counted: Counter[str] = Counter() if skipped is None else skipped
    found = enumerate(_found(connection, store, counted), _FIRST)
    return [manifests.Row(n, e.path, e.modality, e.label, e.patient, e.group, e.source, e.split) for n, e in found]


def find_newest_import(connection: Connection) -> datetime | None:
    """When the newest label was imported; None if there is none."""
    newest: datetime | None = connection.scalar(select(func.max(labels.c.imported_at)))
    return newest


def join(manifest: Sequence[manifests.Row], labelled: Sequence[manifests.Row], key: PseudonymKey) -> Joined:
    """Both, without what would be on two sides or has two labels. Reads every picture once.

    Pictures belong together by patient, by group, and as copies of each other (`training.data.audit.likeness`). A manifest's patient is the
    store's where it is its key, or the patient id behind that.

    Args:
        manifest: rows as `manifests.read` gives them.
        labelled: rows as `find_labelled_rows` gives them.
        key: of this home's pseudonyms.

    Raises:
        TrainingError: a row is of no known modality, or nothing is left.
    """
    keys = {row.patient for row in labelled if row.patient}
    skipped: Counter[str] = Counter()
    ours = _new(labelled, manifest, skipped)
    found = [*(_as_found(row, _patient(row.patient, keys, key)) for row in manifest), *(_as_found(row, row.patient) for row in ours)]
    built = assemble(found, skipped, only_sound=True)
    return Joined(built.rows, skipped)


def _new(labelled: Sequence[manifests.Row], manifest: Sequence[manifests.Row], skipped: Counter[str]) -> list[manifests.Row]:
    """Without those whose bytes the manifest has with the same finding on the same side: they would count twice."""
    known = {(_sha256(row.path), row.finding, row.side) for row in manifest}
    new = [row for row in labelled if (row.path.name, row.finding, row.side) not in known]
    skipped["that the manifest has already"] += len(labelled) - len(new)
    return new


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None  # a missing picture is told with the others


def _found(connection: Connection, store: Store, skipped: Counter[str]) -> Iterator[LabelledPicture]:
    query = (
        select(scans, labels.c.label, labels.c.finding, labels.c.scope, verdicts.c.status)
        .join(labels, labels.c.scan_id == scans.c.id)
        .join(verdicts, (verdicts.c.scan_id == scans.c.id) & verdicts.c.superseded_at.is_(None))
        .order_by(scans.c.id, labels.c.id)
    )
    for _, group in groupby(connection.execute(query), key=lambda row: row.id):
        labels_of_scan = _narrowest(list(group))
        scan = labels_of_scan[0]
        path = store.find(scan.sha256, scan.file_id)
        if len({row.finding for row in labels_of_scan}) > 1:
            skipped["whose readings contradict each other"] += 1
        elif scan.status == Status.REJECTED:
            skipped["that were rejected: no frontal chest X-ray or lung CT slice"] += 1
        elif not _is_known(scan.modality, labels_of_scan[0].label):
            skipped["whose label is none of the modality that they were read as since"] += 1
        elif scan.scope != Scope.SCAN and _is_beyond_lungs(scan.lung_share):
            skipped["that lie beyond the lungs, in a series or study that was labelled as a whole"] += 1
        elif scan.frame > 1:
            skipped["that are not the first frame of their file"] += 1
        elif path is None:
            skipped["whose bytes the store lacks"] += 1
        else:
            group_key = scan.patient_key or scan.sha256[:16]
            source = scan.manufacturer or SOURCE
            yield LabelledPicture(
                _nameless(store, scan.sha256, path),
                Modality(scan.modality),
                _label(labels_of_scan),
                source,
                patient=scan.patient_key or "",
                group=group_key,
                split=side_of(group_key),
            )


def _narrowest(all_labels: list[Row[Any]]) -> list[Row[Any]]:
    """Those of the scan itself; if there are none, those of its series; else those of its study."""
    order = list(Scope)
    narrowest = min(order.index(Scope(row.scope)) for row in all_labels)
    return [row for row in all_labels if row.scope == order[narrowest]]


def _is_beyond_lungs(lung_share: float | None) -> bool:
    """Of a CT slice: the finding of the whole says nothing of it, and its series' assessment leaves it out, too."""
    return lung_share is not None and lung_share < series_rule.shipped().lung_share_min


def _is_known(modality: str, label: str) -> bool:
    try:
        finding_of(Modality(modality), label)
    except KeyError:
        return False
    return True


def _label(labels_of_scan: Sequence[Row[Any]]) -> str:
    """What all readers call it; where they only mean the same, the finding."""
    said = {row.label for row in labels_of_scan}
    return str(said.pop()) if len(said) == 1 else str(labels_of_scan[0].finding)


def _nameless(store: Store, sha256: str, path: Path) -> Path:
    """A link to a scan's bytes that does not bear the name of its file: manifests are read outside of the store."""
    link = store.labelled / sha256
    target = os.path.relpath(path, link.parent)
    try:
        if not link.is_symlink() or os.readlink(link) != target:
            link.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = link.with_name(f".{sha256}.{os.getpid()}")
            draft.unlink(missing_ok=True)
            draft.symlink_to(target)
            draft.replace(link)
    except OSError as error:
        raise TrainingError(f"LUNGLINE_STORE cannot be written ({error.strerror}).") from None
    return link


def _patient(said: str, keys: set[str], key: PseudonymKey) -> str:
    known = key.pseudonym("patient", said) if said else ""
    return known if known in keys else said


def _as_found(row: manifests.Row, patient: str) -> LabelledPicture:
    try:
        modality = Modality(row.modality)
    except ValueError:
        raise TrainingError("A row of the manifest in LUNGLINE_TRAINING_DATA is neither xray nor ct.") from None
    return LabelledPicture(row.path, modality, row.label, row.source, patient, row.group, row.split)
