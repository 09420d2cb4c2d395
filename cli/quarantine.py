"""`lungline quarantine`: what was refused or could not be read, why, and how to release it."""

from typing import Annotated

import typer

from cli.output import as_text, print_rows, printable
from lungline.errors import LedgerError
from lungline.reasons import Reason

app = typer.Typer(help="Files and scans that could not be read: show and release them.", no_args_is_help=True)

_COLUMNS = ("quarantine_id", "reason", "bytes", "seen_at", "names")


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Also released ones.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, with all columns of quarantined_files and the names.")
    ] = False,
) -> None:
    """Show refused files and quarantined scans, with their file names from the store."""
    from lungline.settings import load
    from operations.quarantine import list_quarantined

    rows = []
    for file in list_quarantined(load(), released=everything):
        names = list(map(as_text, file.names)) if as_json else ", ".join(map(printable, file.names)) or None
        rows.append({**file.columns, "names": names})
    print_rows(rows, as_json=as_json, columns=_COLUMNS)


@app.command()
def release(
    quarantine_ids: Annotated[list[str] | None, typer.Argument(help="Ids from `lungline quarantine list`.", metavar="ID...")] = None,
    reason: Annotated[Reason | None, typer.Option(help="All with this reason code; see docs/reason-codes.md.", metavar="REASON")] = None,
) -> None:
    """Let quarantined scans be read again, and put refused files back into the inbox."""
    from lungline.settings import load
    from operations import quarantine

    if not quarantine_ids and reason is None:
        raise typer.BadParameter("give ids from `lungline quarantine list`, or a --reason")
    done = quarantine.release(load(), quarantine_ids or [], reason)
    print(f"{done.released} released")
    if done.failed:
        raise LedgerError(
            f"{done.failed} could not be released: the id is unknown or already released, or the file is not in the store. "
            "A file that is still in the inbox is tried again when it changes."
        )
