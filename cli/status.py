"""`lungline status`: one JSON object, within 5 s, whatever else hangs."""

import threading
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from lungline.settings import Settings

_DATABASE_SECONDS = 3.0
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


def status() -> None:
    """Print readiness, addresses, live processes and counts as JSON; exit 1 if not ready."""
    import json

    from cli import broker
    from cli.settings import masked
    from lungline.presence import live
    from lungline.settings import load

    settings = load()
    processes = live(settings.run)
    counts = _counts(settings)
    readers = [ready for name, (_, ready) in processes.items() if name.startswith("inference-")]
    others = [processes.get(name, (0, False))[1] for name in _NEEDED]
    ready = all(others) and bool(readers) and all(readers) and counts["files"] is not None and broker.answers(settings)
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


def _counts(settings: "Settings") -> dict[str, Any]:
    """The ledger's counts, each None where the database does not answer in time or is not there yet."""
    from sqlalchemy.engine import make_url

    url = make_url(settings.database_url)
    found: dict[str, Any] = dict.fromkeys(_COUNTS)
    if url.get_backend_name() == "sqlite" and not settings.run.exists():
        return found  # asking must not make a home

    def ask() -> None:
        from sqlalchemy.exc import SQLAlchemyError

        from db.connect import connect
        from db.status import counts
        from lungline.errors import LunglineError

        try:
            found.update(counts(connect(settings.database_url)))
        except (SQLAlchemyError, LunglineError):
            pass

    thread = threading.Thread(target=ask, daemon=True)  # a database that hangs holds this thread, not the command
    thread.start()
    thread.join(_DATABASE_SECONDS)
    return dict(found)
