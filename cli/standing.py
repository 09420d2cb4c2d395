"""What `lungline status` says: found in threads, so that whatever hangs or is slow is null when the time is over."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lungline.settings import Settings

_COUNTS: Final = ("files", "accepted", "duplicates", "refused", "scans", "waiting", "reading", "done", "quarantined")
_KEYS: Final = (
    *("ready", "inbox", "database", "flower", "processes"),
    *_COUNTS,
    *("oldest_waiting_seconds", "last_run", "next_run_at"),
)


def find(processes: Sequence[str], until: float) -> dict[str, Any]:
    """All that is known by `until` (monotonic); `ready` is of the named processes alone, if any.

    Raises:
        SettingsError: a setting is missing or makes no sense.
    """
    found: dict[str, Any] = dict.fromkeys(_KEYS)
    all_ready = threading.Event()
    failures: list[Exception] = []
    _ask(until, lambda: _find(processes, until, found, all_ready, failures))
    if failures:
        raise failures[0]
    found = dict(found)  # as it is now: whoever is late changes nothing any more
    # a named process is asked about itself: that the database is slow to count, or away, does not make it unhealthy
    found["ready"] = all_ready.is_set() and (bool(processes) or found["files"] is not None)
    return found


def text(said: dict[str, Any]) -> str:
    """As JSON in one line."""
    return json.dumps(said, default=datetime.isoformat)


def _ask(until: float, *questions: Callable[[], None]) -> None:
    """Asks all at once; who hangs holds a thread, not the command."""
    threads = [threading.Thread(target=question, daemon=True) for question in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


def _find(processes: Sequence[str], until: float, found: dict[str, Any], all_ready: threading.Event, failures: list[Exception]) -> None:
    try:
        from lungline.masked import masked
        from lungline.presence import live
        from lungline.settings import load

        settings = load()
        found["inbox"], found["database"] = str(settings.inbox), masked(settings.database_url)
        alive = live(settings.layout.run)
        found["processes"] = {name: pid for name, (pid, _) in alive.items()}
        found["flower"] = _flower(settings) if "flower" in alive else None
        found["next_run_at"] = settings.schedule.next(datetime.now(UTC)).isoformat()
        _ask(until, lambda: _count(settings, found), lambda: _look(settings, processes, all_ready))
    except Exception as error:
        failures.append(error)


def _flower(settings: "Settings") -> str | None:
    try:
        return settings.layout.flower_address.read_text().strip()
    except OSError:
        return None


def _look(settings: "Settings", processes: Sequence[str], all_ready: threading.Event) -> None:
    from lungline.processes import is_ready

    if is_ready(settings, processes):
        all_ready.set()


def _count(settings: "Settings", found: dict[str, Any]) -> None:
    """Fills in the ledger's counts; each stays None where the database does not answer or is not there yet."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    from db import runs
    from db.connect import connect, read_only
    from db.status import counts
    from lungline.errors import LunglineError

    try:
        url = make_url(settings.database_url)
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            return  # asking must make neither a home nor a database
        engine = connect(settings.database_url)
        found.update(counts(engine))
        with read_only(engine).connect() as connection:
            found["last_run"] = runs.latest(connection)
    except (SQLAlchemyError, LunglineError, OSError):
        pass
