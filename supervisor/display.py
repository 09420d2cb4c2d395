"""How `lungline up` shows its progress: one live line of counts on a terminal, a log line now and then elsewhere."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

import structlog
from rich.console import Console
from rich.live import Live
from rich.text import Text

from db.connect import connect
from db.status import counts
from lungline.threads import Repeating

Counts = Mapping[str, int | float | None]

_COUNT_SECONDS: Final = 1
_LINE_SECONDS: Final = 10  # at least so long between two log lines of counts

_log = structlog.get_logger()


class Counter:
    """Counts in a thread, so that a database that hangs does not keep the supervisor from its work."""

    def __init__(self, database_url: str) -> None:
        """Begins to count."""
        self.latest: Counts | None = None
        """As `db.status.counts`; None while the database does not answer."""
        self._engine = connect(database_url)
        self._thread = Repeating("counts", _COUNT_SECONDS, self._count, "scans cannot be counted")
        self._thread.start()

    def _count(self) -> None:
        try:
            self.latest = counts(self._engine)
        except Exception:  # the display says that the database does not answer; nothing else is to be said here
            self.latest = None


class LiveLine:
    """One line at the bottom of the terminal, with all other output above it."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, counts: Counts | None, *, ready: bool) -> None:
        """Writes the line anew."""
        self._live.update(Text(sentence(counts, ready=ready)), refresh=True)


class LogLines:
    """Counts as log lines: when they have changed, and not too often."""

    def __init__(self) -> None:
        self._last: dict[str, int | float | None] = {}
        self._at = 0.0

    def show(self, counts: Counts | None, *, ready: bool) -> None:
        """Logs the counts if there is something new to say."""
        shown = {name: count for name, count in (counts or {}).items() if name != "oldest_waiting_seconds"}
        if shown and shown != self._last and time.monotonic() - self._at >= _LINE_SECONDS:
            self._last, self._at = shown, time.monotonic()
            _log.info("counts", **shown)


@contextmanager
def open_display() -> Iterator[LiveLine | LogLines]:
    """The display that suits standard output."""
    console = Console()
    if not console.is_terminal:
        yield LogLines()
        return
    live = Live(console=console, auto_refresh=False, transient=True)
    live.start()
    try:
        yield LiveLine(live)
    finally:
        with suppress(OSError):
            live.stop()


def sentence(counts: Counts | None, *, ready: bool) -> str:
    """The counts in one line, for people."""
    state = "running" if ready else "starting"
    if counts is None:
        return f"{state} · the database does not answer" if ready else state
    said = " · ".join(f"{counts[name]} {name}" for name in ("files", "waiting", "reading", "done", "quarantined", "duplicates", "refused"))
    said += f" · {counts['unpacked']} unpacked" if counts.get("unpacked") else ""  # archives: where none come, the line stays short
    oldest = counts["oldest_waiting_seconds"]
    return f"{state} · {said}" + (f" · the oldest has waited {oldest:.0f} s" if oldest else "")


def say(*lines: str) -> None:
    """Prints lines; the terminal may have gone."""
    with suppress(OSError):
        print(*lines, sep="\n", flush=True)
