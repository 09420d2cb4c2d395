"""How commands print rows: a table for people, one JSON object a line for programs."""

import codecs
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn, TextIO

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

_ERRORS: Final = "lungline.plain"
_ALIKE: Final = {"·": "-", "…": "...", "–": "-", "—": "-", "→": "->", "≥": ">=", "≤": "<=", "×": "x", "’": "'", "\N{NO-BREAK SPACE}": " "}


def print_rows(rows: "Iterable[Mapping[str, Any] | RowMapping]", *, as_json: bool, columns: tuple[str, ...] = ()) -> None:
    """Prints rows of a view; a table shows `columns` alone, JSON all."""
    if as_json:
        for row in rows:
            print(json.dumps({name: _plain(value) for name, value in row.items()}))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*(escape(_writable(_short(row[name]))) for name in columns))
    # a pipe has no width: ids must not be cut there
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def print_row(row: Mapping[str, Any], *, as_json: bool) -> None:
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
    name = as_text(name)
    if not name.isprintable():
        name = name.encode("utf-8", "backslashreplace").decode().encode("unicode_escape").decode()
    return _writable(name)


def _writable(text: str) -> str:
    """As standard output will write it: a table must know how wide that is."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, _ERRORS).decode(encoding)


def notice() -> None:
    """Says beside verdicts what they are not."""
    from lungline import RESEARCH_USE

    print(RESEARCH_USE, file=sys.stderr)


def as_text(name: str) -> str:
    """A file's name in UTF-8, whatever this process takes its file system to speak; bytes that are no UTF-8 become lone surrogates."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


@contextmanager
def plain_output() -> Iterator[None]:
    """Lets no character end a command that its terminal or file cannot write, nor a reader that went away leave a traceback.

    What standard output and error cannot encode is written by a look-alike, else escaped.
    """
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()  # None: whoever started this closed it
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)
    try:
        yield
    except BrokenPipeError:
        _leave_output()
    finally:
        try:
            sys.stdout.flush()
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                print(f"lungline: standard output cannot be written ({error.strerror}).", file=sys.stderr)
            _leave_output()


def _nowhere() -> TextIO:
    return open(os.devnull, "w")


def _leave_output() -> NoReturn:
    """Ends the process. Python would write what is left at its very end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    sys.exit(1)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(_ALIKE.get(character, character.encode("ascii", "backslashreplace").decode()) for character in bad), error.end


codecs.register_error(_ERRORS, _replace)


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
