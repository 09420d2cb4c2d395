"""`lungline status`: one JSON object, within 5 s, whatever else hangs. The command begins in cli/start.py."""

import time
from typing import Annotated

import typer

_PATIENCE_SECONDS = 3.0


def status(
    processes: Annotated[
        list[str] | None, typer.Argument(metavar="PROCESS", help="The processes that must be ready. Default: all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The output is JSON with or without it.")] = False,
) -> None:
    """Print readiness, addresses, running processes and counts as JSON; exit 1 if not ready."""
    from cli.standing import find, text

    said = find(processes or (), time.monotonic() + _PATIENCE_SECONDS)
    print(text(said), flush=True)
    raise typer.Exit(0 if said["ready"] else 1)
