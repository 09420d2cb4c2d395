"""`lungline drop`: puts files into the inbox as a PACS would, and can wait for what becomes of each."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import notice, print_rows, printable


def drop(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders with all files in them.", exists=True)],
    wait: Annotated[float, typer.Option(min=0.0, metavar="SECONDS", help="How many seconds to wait for each file's outcome.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each file.")] = False,
) -> None:
    """Copy files into the inbox, and show what becomes of them; exit 1 if one, or one in an archive, was refused, quarantined, or late."""
    from lungline import presence, progress
    from lungline.settings import load
    from operations.drop import drop_and_wait

    settings = load()
    dropped = drop_and_wait(settings, paths, wait, progress.steps)
    rows = [
        {"name": printable(file.name), "outcome": file.outcome, "detail": printable(file.detail), "sha256": file.sha256} for file in dropped
    ]
    print_rows(rows, as_json=as_json, columns=("name", "outcome", "detail"))
    notice()
    if any(file.outcome == "dropped" for file in dropped) and "watch" not in presence.live(settings.layout.run):
        progress.say("No watcher runs for this home: start `lungline up`. The files wait in the inbox.")
    if any(file.outcome in ("refused", "quarantined") or file.turned_away or (wait and file.is_open) for file in dropped):
        raise typer.Exit(1)
