"""`lungline labels`: what readers said of scans, beside what the models say."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.output import print_rows

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
    from lungline.settings import load
    from operations.labels import import_labels

    done = import_labels(load(), file)
    if as_json:
        refused = [{"line": row.line, "reason": row.fault.value} for row in done.refused]
        summary = {"import_id": done.import_id, "added": done.added, "known": done.known, "refused": refused, "conflicts": done.conflicts}
        print(json.dumps(summary))
    else:
        for row in done.refused:
            print(f"line {row.line}: {row.fault.sentence}")
        print(done.text)
    if done.refused:
        raise typer.Exit(1)


@app.command("list")
def list_(
    conflicts: Annotated[bool, typer.Option("--conflicts", help="Only scans whose labels contradict each other.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with all columns of scan_labels.")] = False,
) -> None:
    """Show readers' labels, scan by scan."""
    from lungline.settings import load
    from operations.labels import list_labels

    print_rows(list_labels(load(), conflicts_only=conflicts), as_json=as_json, columns=_COLUMNS)
