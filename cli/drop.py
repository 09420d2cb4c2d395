"""`lungline drop`: puts files into the inbox as a PACS would, and can wait for what becomes of each."""

import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lungline.reasons import Reason

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lungline.settings import Settings

_POLL_SECONDS = 0.25


@dataclass
class Dropped:
    """A file that was put into the inbox, and what became of it so far."""

    name: str
    sha256: str | None  # None: not read
    outcome: str = "dropped"
    detail: str = ""
    bytes: int = 0
    twin: str = ""  # an earlier file of this drop with the same bytes

    @property
    def is_open(self) -> bool:
        return self.outcome in ("dropped", "waiting", "reading")


def drop(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders with all files in them.", exists=True)],
    wait: float = typer.Option(0.0, min=0.0, metavar="SECONDS", help="How many seconds to wait for each file's outcome."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object for each file."),
) -> None:
    """Copy files into the inbox, and show what becomes of them; exit 1 if one was refused, quarantined, or not done in time."""
    from cli.output import notice, print_rows, printable
    from lungline.presence import live
    from lungline.progress import say
    from lungline.settings import load

    settings = load()
    dropped = drop_and_wait(settings, paths, wait)
    rows = [{"name": printable(one.name), "outcome": one.outcome, "detail": one.detail, "sha256": one.sha256} for one in dropped]
    print_rows(rows, as_json=as_json, columns=("name", "outcome", "detail"))
    notice()
    if any(one.outcome == "dropped" for one in dropped) and "watch" not in live(settings.layout.run):
        say("No watcher runs for this home: start `lungline up`. The files wait in the inbox.")
    if any(one.outcome in ("refused", "quarantined") or (wait and one.is_open) for one in dropped):
        raise typer.Exit(1)


def drop_and_wait(settings: "Settings", paths: list[Path], seconds: float) -> list[Dropped]:
    """Puts copies of files, and of all in folders, into the inbox; waits up to so long for what becomes of each."""
    from db import errors
    from db.connect import read_only
    from db.migrate import open_database
    from lungline.errors import LedgerError
    from lungline.progress import steps
    from watcher.walk import patterns

    engine = read_only(open_database(settings))
    settings.inbox.mkdir(parents=True, exist_ok=True)
    with engine.connect() as connection:
        began = _clock(connection)
    dropped = [one for path in paths for one in _put(path, settings.inbox, patterns(settings.ignore))]
    _pair(dropped)
    deadline = time.monotonic() + seconds
    with steps("read", len(dropped)) as step:
        waiting = [one for one in dropped if one.is_open]
        step(len(dropped) - len(waiting))
        while seconds and waiting:
            with (
                suppress(LedgerError),
                errors.translating(),
                engine.connect() as connection,
            ):  # while the database is away, it goes on waiting
                for one in waiting:
                    one.outcome, one.detail = _outcome(connection, one, began)
            before, waiting = len(waiting), [one for one in waiting if one.is_open]
            step(before - len(waiting))
            if time.monotonic() >= deadline:
                break
            time.sleep(_POLL_SECONDS)
    engine.dispose()
    return dropped


def _put(path: Path, inbox: Path, ignore: list[str]) -> list[Dropped]:
    """Copies a file, or a folder with its name, so that folders named `stat`, `xray` or `ct` keep their meaning.

    What the watcher would ignore there is left out. As in the inbox, no link below a folder is followed.
    """
    from watcher.walk import is_ignored

    path = path.resolve()  # a link that was named is meant
    if not path.is_dir():
        return [Dropped(path.name, None, "ignored") if is_ignored(path.name, ignore) else _copy(path, inbox)]
    dropped = []
    for root, _, names in os.walk(path):  # enters no link; a link to a folder is no folder
        folder = path.name / Path(root).relative_to(path)
        is_left_alone = any(is_ignored(part, ignore) for part in folder.parts)
        links = [entry.name for entry in os.scandir(root) if entry.is_symlink() and entry.is_dir()]
        for name in sorted({*names, *links}):
            ignored = is_left_alone or is_ignored(name, ignore)
            dropped.append(Dropped(name, None, "ignored") if ignored else _copy(Path(root, name), inbox / folder))
    return dropped


def _pair(dropped: list[Dropped]) -> None:
    first: dict[str, str] = {}
    for one in dropped:
        if one.sha256 is not None:
            one.twin = first.get(one.sha256, "")
            first.setdefault(one.sha256, one.name)


def _copy(source: Path, folder: Path) -> Dropped:
    import hashlib
    import shutil
    from uuid import uuid4

    from cli.inbox import put
    from lungline.errors import StoreError
    from lungline.layout import FILE_BYTES_MAX

    if not stat.S_ISREG(source.lstat().st_mode):  # a pipe or a device might never end
        return Dropped(source.name, None, "refused", Reason.NOT_A_REGULAR_FILE)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{uuid4()}.part"  # hidden until whole
    try:
        shutil.copyfile(source, draft)
        with draft.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            # what is too large is refused unread
            sha256 = hashlib.file_digest(file, "sha256").hexdigest() if size <= FILE_BYTES_MAX else None
        put(draft, folder, source.name)
    except OSError as error:
        raise StoreError(f"A file cannot be copied into LUNGLINE_INBOX ({error.strerror}); the files before it were copied.") from None
    finally:
        draft.unlink(missing_ok=True)
    return Dropped(source.name, sha256, bytes=size)


def _clock(connection: "Connection") -> Any:
    from sqlalchemy import select

    from db.clock import now

    return connection.scalar(select(now()))


def _outcome(connection: "Connection", dropped: Dropped, began: Any) -> tuple[str, str]:
    """What became of these bytes since `began`: (outcome, finding or reason)."""
    from sqlalchemy import select

    from db.scans import State, state_of
    from db.tables import Outcome, audit, files, quarantine, scans, verdicts

    these = (files.c.sha256.is_(None), files.c.bytes == dropped.bytes) if dropped.sha256 is None else (files.c.sha256 == dropped.sha256,)
    drops = select(files.c.id, files.c.outcome).where(*these, files.c.received_at >= began)
    row = connection.execute(drops.order_by(files.c.id.desc())).first()
    if row is None:
        labels = connection.scalar(select(audit.c.detail).where(audit.c.subject == dropped.sha256, audit.c.at >= began))
        return ("refused" if labels.startswith("refused") else "done", labels) if labels else ("dropped", "")
    if row.outcome == Outcome.REFUSED:
        return "refused", str(connection.scalar(select(quarantine.c.reason).where(quarantine.c.file_id == row.id)))
    of_these = select(scans.c.id, state_of(scans.c.id).label("state")).where(scans.c.sha256 == dropped.sha256)
    states = connection.execute(of_these.order_by(scans.c.frame)).all()
    for state in (State.QUARANTINED, State.WAITING, State.READING):
        found = [scan.id for scan in states if scan.state == state]
        if found and state is State.QUARANTINED:
            reasons = select(quarantine.c.reason).where(quarantine.c.scan_id == found[0]).order_by(quarantine.c.seen_at.desc())
            return "quarantined", str(connection.scalar(reasons.limit(1)))
        if found:
            return state.value, ""
    said = select(verdicts.c.finding, verdicts.c.probability, verdicts.c.status, verdicts.c.reason).where(
        verdicts.c.scan_id == states[0].id, verdicts.c.superseded_at.is_(None)
    )
    verdict = connection.execute(said).one()
    known = _known_as(connection, dropped, began)
    if verdict.finding is None:
        return "done", f"{known}{verdict.status}, {verdict.reason}"
    why = f" ({verdict.reason})" if verdict.reason else ""
    return "done", f"{known}{verdict.finding} {verdict.probability:.3f}, {verdict.status}{why}"


def _known_as(connection: "Connection", dropped: Dropped, began: Any) -> str:
    """Where else these bytes were seen: before this drop began, or in another of its files."""
    from sqlalchemy import select

    from cli.output import printable
    from db.tables import Outcome, files

    before = (files.c.sha256 == dropped.sha256, files.c.outcome == Outcome.ACCEPTED, files.c.received_at < began)
    if connection.execute(select(files.c.id).where(*before).limit(1)).first():
        return "again: "
    return f"same bytes as {printable(dropped.twin)}: " if dropped.twin else ""
