"""`lungline models list` and `show`: which models there are, and what is known of them."""

import json
from typing import Annotated

import typer

app = typer.Typer(help="The networks that read scans: versions, figures, and where they come from.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command("list")
def list_versions(as_json: _Json = False) -> None:
    """List ensembles and members."""
    from models.registry import descriptions

    for found in descriptions():
        row = {"version": found.version, "kind": found.kind, "name": found.name, "modality": found.modality, "sha256": found.sha256}
        print(json.dumps(row) if as_json else f"{found.version:<36} {found.kind:<9} {found.modality or '-':<5} sha256 {found.sha256[:16]}")


@app.command()
def show(version: Annotated[str, typer.Argument(help="As `lungline models list` prints it.")], as_json: _Json = False) -> None:
    """Show everything that is known of a version: a member's card, or an ensemble's members and thresholds."""
    from lungline.errors import ModelError
    from models.registry import descriptions

    for found in descriptions():
        if found.version == version:
            print(json.dumps(found.told) if as_json else found.text())
            return
    raise ModelError("There is no such version; see `lungline models list`.")
