"""`lungline models list` and `show`: which models there are, and what is known of them."""

import json
from typing import Annotated

import typer

app = typer.Typer(help="The networks that read scans: versions, figures, and where they come from.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command("list")
def list_versions(as_json: _Json = False) -> None:
    """List ensembles and members, and which ensemble judges."""
    from sqlalchemy import text

    from cli.output import print_rows
    from db import versions
    from db.migrate import open_database
    from lungline.settings import load
    from workers.judge import versions_at_hand

    with open_database(load()).begin() as connection:
        versions.enter(connection, versions_at_hand())
        rows = connection.execute(text("SELECT * FROM model_versions ORDER BY kind, name, created_at")).mappings()
        print_rows(rows, as_json=as_json, columns=("version", "kind", "name", "modality", "state", "promoted_at", "promoted_by"))


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
