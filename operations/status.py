"""What `lungline status` says: found in threads, so that whatever hangs or is slow is None when the time is over.

The libraries are imported within those threads: on a machine that is busy, they too may be slow.
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lungline.settings import Settings


@dataclass
class HomeStatus:
    """Readiness, addresses, live processes and counts, as docs/contract.md lists them; None: not known in time."""

    ready: bool = False
    inbox: str | None = None
    database: str | None = None  # its password hidden
    flower: str | None = None
    web: str | None = None
    processes: dict[str, int] | None = None  # name -> pid
    files: int | None = None
    accepted: int | None = None
    duplicates: int | None = None
    refused: int | None = None
    unpacked: int | None = None
    scans: int | None = None
    waiting: int | None = None
    reading: int | None = None
    done: int | None = None
    quarantined: int | None = None
    oldest_waiting_seconds: float | None = None
    paused_queues: list[str] | None = None
    last_run: dict[str, Any] | None = None
    next_run_at: str | None = None

    def as_json(self, *, indent: int | None = None) -> str:
        """One JSON object: in one line, or indented by so many spaces."""
        return json.dumps(asdict(self), default=datetime.isoformat, indent=indent)


def find_status(processes: Sequence[str], until: float) -> HomeStatus:
    """All that is known by `until` (monotonic); `ready` is of the named processes alone, if any.

    Raises:
        SettingsError: a setting is missing or makes no sense.
    """
    status = HomeStatus()
    all_ready = threading.Event()
    failures: list[Exception] = []
    _run_until(until, lambda: _fill_in(processes, until, status, all_ready, failures))
    if failures:
        raise failures[0]
    status = replace(status)  # as it is now: whoever is late changes nothing any more
    # a named process is asked about itself: that the database is slow to count, or away, does not make it unhealthy
    status.ready = all_ready.is_set() and (bool(processes) or status.files is not None)
    return status


def _run_until(until: float, *questions: Callable[[], None]) -> None:
    """Asks all at once; who hangs holds a thread, not the command."""
    threads = [threading.Thread(target=question, daemon=True) for question in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


def _fill_in(processes: Sequence[str], until: float, status: HomeStatus, all_ready: threading.Event, failures: list[Exception]) -> None:
    try:
        from lungline.masked import masked
        from lungline.presence import live
        from lungline.settings import load

        settings = load()
        status.inbox, status.database = str(settings.inbox), masked(settings.database_url)
        alive = live(settings.layout.run)
        status.processes = {name: pid for name, (pid, _) in alive.items()}
        status.flower = _address(settings.layout.flower_address) if "flower" in alive else None
        status.web = _address(settings.layout.web_address) if "web" in alive else None
        status.next_run_at = settings.schedule.next(datetime.now(UTC)).isoformat()
        _run_until(until, lambda: _count(settings, status), lambda: _check_ready(settings, processes, all_ready))
    except Exception as error:
        failures.append(error)


def _address(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except OSError:
        return None


def _check_ready(settings: "Settings", processes: Sequence[str], all_ready: threading.Event) -> None:
    from lungline.processes import is_ready

    if is_ready(settings, processes):
        all_ready.set()


def _count(settings: "Settings", status: HomeStatus) -> None:
    """Fills in the ledger's counts; each stays None where the database does not answer or is not there yet."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    from db import queues, runs
    from db.connect import connect, read_only
    from db.status import counts
    from lungline.errors import LunglineError

    try:
        url = make_url(settings.database_url)
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            return  # asking must make neither a home nor a database
        engine = connect(settings.database_url)
        for name, count in counts(engine).items():
            setattr(status, name, count)
        with read_only(engine).connect() as connection:
            status.last_run = runs.latest(connection)
            status.paused_queues = queues.paused(connection)
    except (SQLAlchemyError, LunglineError, OSError):
        pass
