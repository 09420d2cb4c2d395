"""`lungline status`: one JSON object, within 5 s, whatever else hangs."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from lungline.settings import Settings

_PATIENCE_SECONDS = 3.0
_NEEDED = ("watch", "flower")
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
)


def status(as_json: bool = typer.Option(False, "--json", help="As it does anyway.")) -> None:
    """Print readiness, addresses, live processes and counts as JSON; exit 1 if not ready."""
    import json

    from cli import broker
    from cli.settings import masked
    from lungline.presence import live
    from lungline.settings import load

    settings = load()
    processes = live(settings.run)
    counts: dict[str, Any] = dict.fromkeys(_COUNTS)
    broker_answers = threading.Event()
    _ask(lambda: _count(settings, counts), lambda: broker_answers.set() if broker.answers(settings) else None)
    counts = dict(counts)  # as it is now: whoever is late changes nothing any more
    readers = [ready for name, (_, ready) in processes.items() if name.startswith("inference-")]
    others = [processes.get(name, (0, False))[1] for name in _NEEDED]
    ready = all(others) and bool(readers) and all(readers) and counts["files"] is not None and broker_answers.is_set()
    try:
        flower = (settings.run / "flower.url").read_text().strip() if "flower" in processes else None
    except OSError:
        flower = None
    said = {
        "ready": ready,
        "inbox": str(settings.inbox),
        "database": masked(settings.database_url),
        "flower": flower,
        "processes": {name: pid for name, (pid, _) in processes.items()},
        **counts,
    }
    print(json.dumps(said), flush=True)
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

    from db.connect import connect
    from db.status import counts
    from lungline.errors import LunglineError

    try:
        if make_url(settings.database_url).get_backend_name() == "sqlite" and not settings.run.exists():
            return  # asking must not make a home
        found.update(counts(connect(settings.database_url)))
    except (SQLAlchemyError, LunglineError, OSError):
        pass
