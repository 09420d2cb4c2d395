"""CSV files as people and spreadsheets write them (RFC 4180, and Excel's ways): every line is in a record, or named as none.

A quote that nobody closes would swallow all lines after it. So a record spans several lines only where that is good CSV throughout, and no
line within it would be a whole record by itself; else its first line is named, and the next one is read by itself.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_SEPARATORS: Final = ",;\t|"
_NAMED_SEPARATOR: Final = re.compile(r'"?sep=(\\t|.)"?[\s,;|]*', re.IGNORECASE)  # Excel's own first line
_LINES_MAX: Final = 32  # of one record
_TRIES_MAX: Final = 20_000  # of lines that might go on with a record: a file of nothing but quotes must not take minutes
_CELL_MAX: Final = 131_072  # characters; csv's own limit
_MARKS: Final = {  # the longer ones first: UTF-32's mark begins as UTF-16's does
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


@dataclass(frozen=True)
class TableRecord:
    """One record below the head."""

    line: int  # where it begins, from 1, as editors count
    lines: int  # how many it spans
    row: int  # as spreadsheets count: the head is row 1
    cells: tuple[str, ...] | None  # stripped, as many as the head has; None: it is no CSV, or has more or fewer


@dataclass(frozen=True)
class Table:
    """A table with a head."""

    head: tuple[str, ...]  # stripped, lower case; a name may be empty
    records: tuple[TableRecord, ...]  # empty ones left out

    @property
    def twice(self) -> list[tuple[str, int, int]]:
        """Names that two columns have, and which two, from 1."""
        first: dict[str, int] = {}
        return [
            (name, first[name], number) for number, name in enumerate(self.head, 1) if name and first.setdefault(name, number) != number
        ]


def read(data: bytes, *, padded: bool = False) -> Table:
    """Reads a table in UTF-8, UTF-16 or UTF-32, separated by commas, semicolons, tabs or bars.

    Args:
        data: the file's bytes. Such as are not UTF-8 are kept as lone surrogates.
        padded: whether a record may have fewer cells than the head: the others are empty then.
    """
    lines = list(io.StringIO(_text(data), newline=""))
    start = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    separator = None
    if start < len(lines) and (named := _NAMED_SEPARATOR.fullmatch(lines[start].strip("\r\n"))):
        separator = "\t" if named[1] == r"\t" else named[1]
        start = next((number for number, line in enumerate(lines[start + 1 :], start + 1) if line.strip()), len(lines))
    if start == len(lines):
        return Table((), ())
    separator = separator or max(_SEPARATORS, key=lambda each: len(_head(lines, start, each)[0]))  # the first of equals
    cells, taken = _head(lines, start, separator)
    head = tuple(name.strip("\ufeff").strip().lower() for name in _without_tail(cells, 0))
    return Table(head, tuple(_records(lines, start + taken, separator, len(head), padded)))


def _text(data: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\0" in (beginning := data[:256]):  # UTF-16 without its mark: every other byte of plain letters is zero
        for encoding, zeros in (("utf-16-le", beginning[1::2]), ("utf-16-be", beginning[::2])):
            if zeros.count(0) * 10 >= len(zeros) * 9:
                return data.decode(encoding, "replace")
    return data.decode("utf-8-sig", "surrogateescape")


def _head(lines: Sequence[str], start: int, separator: str) -> tuple[list[str], int]:
    """Its cells, and how many lines it spans."""
    for taken in range(1, min(_LINES_MAX, len(lines) - start) + 1):
        cells = _parsed("".join(lines[start : start + taken]), separator)
        if cells is not None:
            return cells, taken
    return [], 1


def _records(lines: Sequence[str], start: int, separator: str, width: int, padded: bool) -> Iterator[TableRecord]:
    at, row, tries = start, 1, _TRIES_MAX
    while at < len(lines):
        row += 1
        cells, taken, tried = _record(lines, at, separator, width, min(tries, _LINES_MAX))
        tries -= tried
        if cells is None or any(cells):
            fits = cells is not None and (len(cells) == width or (padded and len(cells) < width))
            yield TableRecord(at + 1, taken, row, tuple(cells + [""] * (width - len(cells))) if cells is not None and fits else None)
        at += taken


def _record(lines: Sequence[str], at: int, separator: str, width: int, most: int) -> tuple[list[str] | None, int, int]:
    """Its cells, None where it is no CSV; how many lines it spans; how many were tried, `most` at most."""
    cells = _parsed(lines[at], separator)
    if cells is not None:
        return _without_tail(cells, width) if lines[at].count('"') % 2 == 0 else None, 1, 0
    before = _cells_before_an_open_quote(lines[at], separator) if most > 1 else None
    if before is None:
        return None, 1, 0
    tried = 1
    for taken in range(2, min(most, len(lines) - at) + 1):
        tried = taken
        last = lines[at + taken - 1]
        cells = _parsed("".join(lines[at : at + taken]), separator) if '"' in last else None
        if cells is not None and before == 0:
            return _without_tail(cells, width), taken, tried  # the line that ends its first cell has all the others
        alone = _parsed(last, separator)
        if alone is not None and width > 1 and len(_without_tail(alone, width)) == width:
            break  # a record by itself: the quote before it was never to be closed
        if cells is not None:
            return _without_tail(cells, width), taken, tried
    return None, 1, tried


def _cells_before_an_open_quote(line: str, separator: str) -> int | None:
    """How many cells are complete where a quote is still open at the end of the line; None if something else is wrong."""
    closed = _parsed(line.rstrip("\r\n") + '"', separator)
    return None if closed is None else len(closed) - 1


def _parsed(text: str, separator: str) -> list[str] | None:
    """The stripped cells of exactly one record; None if it is no CSV, or a quote is open at its end."""
    if '"' not in text and len(text) <= _CELL_MAX:  # nearly all lines
        return [cell.strip() for cell in text.split(separator)] if text.strip("\r\n") else []
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except (csv.Error, ValueError, TypeError):
        return None
    if not records:
        return []
    return [cell.strip() for cell in records[0]] if len(records) == 1 else None


def _without_tail(cells: list[str], width: int) -> list[str]:
    """Without empty cells at the end, as spreadsheets leave them, but those that the head has."""
    kept = len(cells)
    while kept > width and not cells[kept - 1]:
        kept -= 1
    return cells[:kept]
