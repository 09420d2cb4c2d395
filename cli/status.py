"""`lungline status`: one JSON object, within 5 s, whatever else hangs. The command begins in cli/start.py."""

import sys
import time
from typing import Annotated

import typer

_PATIENCE_SECONDS = 3.0


def status(
    processes: Annotated[
        list[str] | None, typer.Argument(metavar="PROCESS", help="The processes that must be ready. Default: all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it in one line, on a terminal, too.")] = False,
) -> None:
    """Print readiness, addresses, running processes and counts as one JSON object; exit 1 if not ready."""
    from operations.status import find_status

    found = find_status(processes or (), time.monotonic() + _PATIENCE_SECONDS)
    print(found.as_json(indent=None if as_json or not sys.stdout.isatty() else 2), flush=True)
    raise typer.Exit(0 if found.ready else 1)
