"""How commands print rows: a table for people, one JSON object a line for programs."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import RowMapping


def print_rows(rows: "Iterable[Mapping[str, Any] | RowMapping]", *, as_json: bool, columns: tuple[str, ...] = ()) -> int:
    """Prints rows of a view; a table shows `columns` alone, JSON all. Returns how many rows there were."""
    if as_json:
        count = 0
        for row in rows:
            print(json.dumps({name: _plain(value) for name, value in row.items()}))
            count += 1
        return count
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*(escape(_short(row[name])) for name in columns))
    # a pipe has no width: ids must not be cut there
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    return table.row_count


def print_one(row: Mapping[str, Any], *, as_json: bool) -> None:
    """Prints one row, a column a line."""
    if as_json:
        print_rows([row], as_json=True)
    else:
        lines = dict(_flat(row))
        width = max(map(len, lines))
        for name, value in lines.items():
            print(f"{name:<{width}}  {_short(value)}")


def _flat(row: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name} ")
        else:
            yield above + name, value


def printable(name: str) -> str:
    """A file's name as a terminal can bear it: bytes that are no text, and control characters, are escaped."""
    return name.encode("utf-8", "backslashreplace").decode().encode("unicode_escape").decode() if not name.isprintable() else name


def notice() -> None:
    """Says beside verdicts what they are not."""
    from lungline import RESEARCH_USE

    print(RESEARCH_USE, file=sys.stderr)


def _plain(value: Any) -> Any:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


def _short(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return str(value)
