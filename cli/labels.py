"""`lungline labels`: what readers said of scans, beside what the models say."""

import getpass
import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

_COLUMNS = ("scan_id", "modality", "reader", "label", "finding", "read_at", "conflicts")


@app.callback()
def labels() -> None:
    """Import and show readers' labels, which the next training learns from."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file; see docs/data.md.", exists=True, dir_okay=False, show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Import readers' labels. Invalid rows are listed by line, the others are imported; exit 1 if there was an invalid row."""
    import hashlib

    from db import labels
    from db.migrate import open_database
    from lungline import label_rows
    from lungline.errors import LabelsError
    from lungline.layout import Store
    from lungline.pseudonyms import PseudonymKey
    from lungline.settings import load

    settings = load()
    try:
        with file.open("rb") as opened:
            data = opened.read(label_rows.BYTES_MAX + 1)
    except OSError as error:
        raise LabelsError(f"The file of labels cannot be read ({error.strerror}).") from None
    table = label_rows.read(data)
    named = Store(settings.store).named(table.file_names)
    key = PseudonymKey.load_or_create(settings.key_file)
    with open_database(settings).begin() as connection:
        done = labels.enter(connection, table, named, key, who=_who(), sha256=hashlib.sha256(data).hexdigest())
    if as_json:
        refused = [{"line": one.line, "reason": one.fault.value} for one in done.refused]
        summary = {"import_id": done.import_id, "added": done.added, "known": done.known, "refused": refused, "conflicts": done.conflicts}
        print(json.dumps(summary))
    else:
        for one in done.refused:
            print(f"line {one.line}: {one.fault.sentence}")
        print(done.text)
    if done.refused:
        raise typer.Exit(1)


@app.command("list")
def list_(
    conflicts: Annotated[bool, typer.Option("--conflicts", help="Only scans whose labels contradict each other.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with all columns of scan_labels.")] = False,
) -> None:
    """Show readers' labels, scan by scan."""
    from sqlalchemy import text

    from cli.output import print_rows
    from db.connect import read_only
    from db.migrate import open_database
    from lungline.settings import load

    query = text(f"SELECT * FROM scan_labels {'WHERE conflicts' if conflicts else ''} ORDER BY scan_id, read_at, reader")
    with read_only(open_database(load())).connect() as connection:
        print_rows(connection.execute(query).mappings(), as_json=as_json, columns=_COLUMNS)


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
