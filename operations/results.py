"""Verdicts as people ask for them: the newest, and all that is known of one scan."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from db import scan_views
from db.connect import read_only
from db.migrate import open_database
from db.rows import ViewRow, storable
from db.scan_views import ScanRecord
from lungline.errors import LedgerError
from lungline.layout import Store
from lungline.settings import Settings


@dataclass(frozen=True)
class KnownScan:
    """All that is known of a scan, with the names that its bytes were dropped by."""

    record: ScanRecord
    names: list[str]


def newest_results(settings: Settings, most: int) -> list[ViewRow]:
    """The newest verdicts, with all columns of `scan_results`."""
    with read_only(open_database(settings)).connect() as connection:
        return scan_views.newest_results(connection, most)


def find_scans(settings: Settings, scan: str) -> list[KnownScan]:
    """All that is known of a scan, named by its id; or by a file with the same bytes: then of each frame.

    Raises:
        LedgerError: there is no such scan.
    """
    sha256 = None
    if Path(scan).is_file():
        with Path(scan).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with read_only(open_database(settings)).connect() as connection:
        records = scan_views.find_records(connection, scan_id=storable(scan), sha256=sha256)
    if not records:
        raise LedgerError(
            "There is no such scan or study; `lungline results` lists scans that are done, `lungline quarantine list` those that "
            "could not be read, and `lungline studies` studies."
        )
    names = Store(settings.store).names(records[0].sha256)
    return [KnownScan(record, names) for record in records]
