"""What readers said of scans: taken in from a file, and listed."""

import hashlib
from pathlib import Path

from db import labels
from db.connect import read_only
from db.labels import ImportedLabels
from db.migrate import open_database
from db.rows import ViewRow
from lungline import label_rows
from lungline.errors import LabelsError
from lungline.layout import Store
from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings
from operations.users import current_user


def import_labels(settings: Settings, file: Path) -> ImportedLabels:
    """Takes in a CSV file of readers' labels: rows that cannot be believed are refused, the others go in.

    Raises:
        LabelsError: the file cannot be read as one of labels.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(label_rows.BYTES_MAX + 1)
    except OSError as error:
        raise LabelsError(f"The file of labels cannot be read ({error.strerror}).") from None
    table = label_rows.read(data)
    named = Store(settings.store).named(table.file_names)
    key = PseudonymKey.load_or_create(settings.key_file)
    with open_database(settings).begin() as connection:
        return labels.enter(connection, table, named, key, who=current_user(), sha256=hashlib.sha256(data).hexdigest())


def list_labels(settings: Settings, *, conflicts_only: bool = False) -> list[ViewRow]:
    """What `scan_labels` holds, scan by scan; `conflicts_only`: of scans whose labels contradict each other."""
    with read_only(open_database(settings)).connect() as connection:
        return labels.list_rows(connection, conflicts_only=conflicts_only)
