"""Labelled data sets for training: built, and audited."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from db.connect import read_only
from db.migrate import open_database
from lungline.errors import TrainingError
from lungline.findings import Modality
from lungline.layout import Store
from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings
from training.data import audit, builders, manifests, store_labels
from training.data.audit import Audit
from training.data.builders import Built
from training.data.builders.labelled_picture import BuildRequest
from training.data.builders.labels import Names


def manifest_of(path: Path) -> Path:
    """The manifest that a path names: a CSV file; or of a folder, its `manifest.csv`."""
    is_folder = path.is_dir() or (path.suffix != ".csv" and not path.exists())
    return path / "manifest.csv" if is_folder else path


def build(
    kind: str,
    path: Path,
    out: Path,
    *,
    labels: Sequence[str] = (),
    modality: Modality | None = None,
    source: str | None = None,
    only_sound: bool = False,
) -> Built:
    """Writes a data set's manifest.

    Args:
        kind: one of `training.data.builders.KINDS`.
        path: where the data set lies: a folder, or a CSV file.
        out: the manifest, or the folder for it.
        labels: what its classes are called here, OLD=NEW each.
        modality: of all pictures, where no folder or column tells it.
        source: where the pictures come from; None: the data set's name.
        only_sound: whether what the audit would refuse is left out.

    Raises:
        TrainingError: the data set is not of that kind, has a class that is not known, or is empty; or the manifest cannot be written.
    """
    return builders.build(kind, BuildRequest(path, Names(labels), modality, source), manifest_of(out), only_sound=only_sound)


def build_from_store(settings: Settings, out: Path) -> Built:
    """Writes a manifest of the labelled scans of the store alone, less what LUNGLINE_TRAINING_DATA has on a more protected side.

    Raises:
        TrainingError: no scan has labels that can be learnt from.
    """
    place = manifest_of(out)
    skipped: Counter[str] = Counter()
    with read_only(open_database(settings)).connect() as connection:
        labelled = store_labels.find_labelled_rows(connection, Store(settings.store), skipped)
    known = settings.training_data / "manifest.csv" if settings.training_data else None
    beside = manifests.read(known) if known and known.is_file() and known.resolve() != place.resolve() else []
    if not labelled:
        raise TrainingError("No scan in the store has a label to learn from: see `lungline labels import` and `lungline labels list`.")
    joined = store_labels.join(beside, labelled, PseudonymKey.load_or_create(settings.key_file))
    ours = {row.path for row in labelled}
    rows = tuple(row for row in joined.rows if row.path in ours)
    skipped["that LUNGLINE_TRAINING_DATA holds, or that are unreadable, have two labels, or belong to a more protected side"] += len(
        labelled
    ) - len(rows)
    if not rows:
        raise TrainingError("No labelled scan in the store can be used: see `lungline labels list`.")
    place.parent.mkdir(parents=True, exist_ok=True)
    manifests.write(place, rows)
    return Built(rows, +skipped, 0, 0)


def check(settings: Settings, manifest: Path) -> Audit:
    """Audits a data set, and keeps the outcome, so that training need not do so again while nothing changes.

    Raises:
        TrainingError: there is no manifest, or it cannot be read.
    """
    place = manifest_of(manifest)
    found = audit.audit(place)
    audit.remember(place, settings.layout.audits, found)
    return found


def count_pictures(built: Built) -> tuple[tuple[str, ...], list[dict[str, str | int]]]:
    """How many pictures each label has in each split: the splits that there are, and a row a modality and label, with its groups."""
    pictures = Counter((row.modality, row.label, row.split) for row in built.rows)
    groups = {(row.modality, row.label): set[str]() for row in built.rows}
    for row in built.rows:
        groups[row.modality, row.label].add(row.group)
    splits = tuple(split for split in manifests.SPLITS if any(split == used for _, _, used in pictures))
    table: list[dict[str, str | int]] = [
        {"modality": modality, "label": label, **{split: pictures[modality, label, split] for split in splits}, "groups": len(names)}
        for (modality, label), names in sorted(groups.items())
    ]
    return splits, table
