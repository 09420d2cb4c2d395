"""`lungline quarantine`: what was turned away and why, and how to let it try again."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lungline.reasons import Reason

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from lungline.settings import Settings

app = typer.Typer(help="Files and scans that could not be read: show and release them.", no_args_is_help=True)

_COLUMNS = ("quarantine_id", "reason", "bytes", "seen_at", "names")


@app.command("list")
def list_(
    everything: bool = typer.Option(False, "--all", help="Also released ones."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line, with all columns of quarantined_files and the names."),
) -> None:
    """Show refused files and quarantined scans, with their file names from the store."""
    from sqlalchemy import text

    from cli.output import as_text, print_rows, printable
    from db.connect import read_only
    from db.migrate import open_database
    from lungline.layout import Store
    from lungline.settings import load

    settings = load()
    store = Store(settings.store)
    where = "" if everything else "WHERE q.released_at IS NULL"
    query = text(f"SELECT q.*, r.file_id FROM quarantined_files q JOIN quarantine r ON r.id = q.quarantine_id {where} ORDER BY q.seen_at")
    with read_only(open_database(settings)).connect() as connection:
        rows = []
        for row in connection.execute(query).mappings():
            found = store.names(row["sha256"]) if row["scan_id"] else store.refused_names(row["file_id"])
            rows.append({**row, "names": list(map(as_text, found)) if as_json else ", ".join(map(printable, found)) or None})
    for one in rows:
        del one["file_id"]
    print_rows(rows, as_json=as_json, columns=_COLUMNS)


@app.command()
def release(
    quarantine_ids: Annotated[list[str] | None, typer.Argument(help="Ids from `lungline quarantine list`.", metavar="ID...")] = None,
    reason: Annotated[Reason | None, typer.Option(help="All with this reason code; see docs/reason-codes.md.", metavar="REASON")] = None,
) -> None:
    """Let quarantined scans be read again, and put refused files back into the inbox."""
    from sqlalchemy import or_, select

    from db.migrate import open_database
    from db.tables import quarantine
    from lungline.errors import LedgerError
    from lungline.settings import load

    settings = load()
    engine = open_database(settings)
    if not quarantine_ids and reason is None:
        raise typer.BadParameter("give ids from `lungline quarantine list`, or a --reason")
    chosen = or_(quarantine.c.id.in_(quarantine_ids or []), quarantine.c.reason == reason)
    with engine.connect() as connection:
        rows = connection.execute(select(quarantine).where(chosen, quarantine.c.released_at.is_(None))).all()
    unknown = set(quarantine_ids or []) - {row.id for row in rows}
    released = sum(_release(settings, engine, row) for row in rows)
    print(f"{released} released")
    if failed := len(unknown) + len(rows) - released:
        raise LedgerError(
            f"{failed} could not be released: the id is unknown or already released, or the file is not in the store. "
            "A file that is still in the inbox is tried again when it changes."
        )


def _release(settings: "Settings", engine: "Engine", row: Any) -> bool:
    from sqlalchemy import select, update

    from cli.inbox import bring_near, put
    from db import scans
    from db.clock import now
    from db.tables import Priority, files, quarantine
    from lungline.layout import Store

    if row.scan_id is not None:
        with engine.begin() as connection:
            return scans.release(connection, row.id)
    folder = Store(settings.store).quarantine / row.file_id
    entry = next(folder.iterdir(), None) if folder.is_dir() else None
    if entry is None:
        return False
    with engine.connect() as connection:
        drop = connection.execute(select(files.c.priority, files.c.hint).where(files.c.id == row.file_id)).one()
    below = ["stat"] if drop.priority == Priority.STAT else []  # the folders that it was dropped into say what it is
    target = settings.inbox.joinpath(*below, *([drop.hint] if drop.hint else []))
    target.mkdir(parents=True, exist_ok=True)
    near = bring_near(entry, target)  # half a gigabyte perhaps: no transaction is open meanwhile
    try:
        with engine.begin() as connection:  # the row first: a crash then leaves the file where it is, to be seen by `reconcile`
            here = (quarantine.c.id == row.id, quarantine.c.released_at.is_(None))
            if connection.execute(update(quarantine).where(*here).values(released_at=now())).rowcount == 0:
                return False
        put(near, target, entry.name)
    finally:
        if near != entry:
            near.unlink(missing_ok=True)
    entry.unlink(missing_ok=True)
    folder.rmdir()
    return True
