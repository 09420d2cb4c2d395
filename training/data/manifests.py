"""Manifests row by row, before anything in them is believed: what `lungline data` writes, and what its audit reads."""

import csv
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lungline import tables
from lungline.durable import replacing
from lungline.errors import TrainingError
from lungline.findings import Modality, finding_of

SPLITS: Final = ("train", "val", "gate", "test", "holdout", "demo")
COLUMNS: Final = ("path", "modality", "label", "patient", "group", "source", "split")
_NEEDED: Final = frozenset(COLUMNS) - {"patient"}
_LISTED: Final = 10  # rows by number in a message


@dataclass(frozen=True)
class Row:
    """One labelled picture, as a manifest lists it. Nothing but `number` may be shown: the rest may name a patient."""

    number: int  # of the row, from 2: the head is row 1
    path: Path
    modality: str
    label: str
    patient: str  # empty where nobody is known
    group: str
    source: str
    split: str

    @property
    def side(self) -> str:
        """The split, but for `demo`, whose pictures may be originals of test."""
        return side_of(self.split)

    @property
    def origin(self) -> str:
        """The source by its name alone: its copies and forks are one."""
        return origin_of(self.source)

    @property
    def finding(self) -> str:
        """What the label is for the modality's ensemble; the label itself where that knows none."""
        try:
            return finding_of(Modality(self.modality), self.label)
        except (KeyError, ValueError):
            return self.label


def side_of(split: str) -> str:
    """What a split stands against: `demo` pictures may be originals of test."""
    return "test" if split == "demo" else split


def origin_of(source: str) -> str:
    """A source by its name alone: its copies and forks are one."""
    return source.split(" (")[0]


def read(manifest: Path) -> list[Row]:
    """The rows of a manifest with the columns path, modality, label, group, source, split, and patient where there is one.

    Raises:
        TrainingError: it cannot be read, lacks a column, or has no row.
    """
    table = _numbered(manifest)
    if missing := _NEEDED - set(table[0][1]):
        raise TrainingError(
            f"The manifest lacks the columns {', '.join(sorted(missing))}; `lungline data build --from manifest` adds them."
        )
    return [Row(number, manifest.parent / row["path"], *(row.get(name, "") for name in COLUMNS[1:])) for number, row in table]


def table_of(path: Path, skipped: Counter[str] | None = None) -> list[dict[str, str]]:
    """Any CSV file with a head, as `tables.read` takes it: cells stripped, names of columns in lower case, and empty rows left out.

    Args:
        path: the file.
        skipped: where to count rows that cannot be read, by their numbers; else there may be none.

    Raises:
        TrainingError: it cannot be read as one, has two columns of one name, or no row; or a row of it cannot be read.
    """
    return [row for _, row in _numbered(path, skipped)]


def _numbered(path: Path, skipped: Counter[str] | None = None) -> list[tuple[int, dict[str, str]]]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise TrainingError("There is no such manifest; `lungline data build` makes one, see docs/data.md.") from None
    except OSError as error:
        raise TrainingError(f"The table cannot be read ({error.strerror}); see docs/data.md.") from None
    table = tables.read(data, padded=True)
    if table.twice:
        named = ", ".join(f"`{_plain(name)}` (columns {first} and {second})" for name, first, second in table.twice)
        raise TrainingError(f"Two columns of the table have the same name: {named}. Remove or rename one of them.")
    if bad := [record.row for record in table.records if record.cells is None]:
        if skipped is None:
            raise TrainingError(
                f"These rows of the table cannot be read (the header is row 1): {_listed(bad)}. They have more cells than the header, or "
                "a quote that is not closed; correct them."
            )
        for row in bad:
            skipped[f"in row {row} of the table, which has more cells than its head, or a quote that is not closed"] += 1
    rows = [
        (record.row, {name: _decoded(name, cell) for name, cell in zip(table.head, record.cells, strict=True) if name})
        for record in table.records
        if record.cells is not None
    ]
    if not rows:
        raise TrainingError("The table has no row below its header; see docs/data.md.")
    return rows


def _decoded(column: str, cell: str) -> str:
    """A picture's name may be no UTF-8."""
    return os.fsdecode(cell.encode("utf-8", "surrogateescape")) if column == "path" else _plain(cell)


def _plain(cell: str) -> str:
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _listed(rows: list[int]) -> str:
    return ", ".join(map(str, rows[:_LISTED])) + (f", and {len(rows) - _LISTED} more" if len(rows) > _LISTED else "")


def write(manifest: Path, rows: Iterable[Row]) -> None:
    """Writes rows, paths relative to the manifest; the file is there whole or not at all.

    Raises:
        TrainingError: the folder cannot be written.
    """
    folder = manifest.parent.resolve()
    try:
        with replacing(manifest) as draft, draft.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for row in rows:
                path = os.fsencode(Path(os.path.relpath(row.path, folder)).as_posix()).decode("utf-8", "surrogateescape")
                writer.writerow((path, row.modality, row.label, row.patient, row.group, row.source, row.split))
    except OSError as error:
        raise TrainingError(f"The manifest cannot be written ({error.strerror}); choose another `--out`.") from None
