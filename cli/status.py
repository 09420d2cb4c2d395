"""`lungline status`: one JSON object, within 5 s, whatever else hangs."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lungline.settings import Settings

_PATIENCE_SECONDS = 3.0
_COUNTS = (
    "files",
    "accepted",
    "duplicates",
    "refused",
    "scans",
    "waiting",
    "reading",
    "done",
    "quarantined",
    "oldest_waiting_seconds",
    "last_run",
)


def status(
    processes: Annotated[list[str] | None, typer.Argument(metavar="PROCESS", help="Whose readiness counts; all by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As it does anyway.")] = False,
) -> None:
    """Print readiness, addresses, live processes and counts as JSON; exit 1 if not ready."""
    import json

    from cli.processes import is_ready
    from cli.settings import masked
    from lungline.presence import live
    from lungline.settings import load

    settings = load()
    alive = live(settings.run)
    counts: dict[str, Any] = dict.fromkeys(_COUNTS)
    all_ready = threading.Event()
    _ask(lambda: _count(settings, counts), lambda: all_ready.set() if is_ready(settings, processes or ()) else None)
    counts = dict(counts)  # as it is now: whoever is late changes nothing any more
    # a named process is asked about itself: that the database is slow to count, or away, does not make it unhealthy
    ready = all_ready.is_set() and (bool(processes) or counts["files"] is not None)
    try:
        flower = (settings.run / "flower.url").read_text().strip() if "flower" in alive else None
    except OSError:
        flower = None
    said = {
        "ready": ready,
        "inbox": str(settings.inbox),
        "database": masked(settings.database_url),
        "flower": flower,
        "processes": {name: pid for name, (pid, _) in alive.items()},
        **counts,
        "next_run_at": settings.schedule.next(datetime.now(UTC)).isoformat(),
    }
    print(json.dumps(said, default=datetime.isoformat), flush=True)
    raise typer.Exit(0 if ready else 1)


def _ask(*questions: Callable[[], None]) -> None:
    """Asks all at once; who hangs holds a thread, not the command."""
    threads = [threading.Thread(target=question, daemon=True) for question in questions]
    for thread in threads:
        thread.start()
    until = time.monotonic() + _PATIENCE_SECONDS
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


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
