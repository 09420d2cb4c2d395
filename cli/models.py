"""`lungline models`: which models there are, what is known of them, and which ensemble judges."""

import json
from collections.abc import Mapping
from typing import Annotated, Literal

import typer

from cli import models_files
from cli.output import print_rows

app = typer.Typer(no_args_is_help=True)
app.command()(models_files.export)
app.command("import")(models_files.import_)

_COLUMNS = ("version", "kind", "name", "modality", "state", "promoted_at", "promoted_by")
_Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
_By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides this; kept for ever.")]
_Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; kept for ever.")]


@app.callback()
def models() -> None:
    """Show, promote, roll back, export and import networks."""
    from lungline import log

    log.configure("models")  # to standard error: what is passed over, which runtime runs what


@app.command("list")
def list_(as_json: _Json = False) -> None:
    """Show ensembles and members, and which ensemble is champion."""
    from lungline.settings import load
    from operations.models import list_versions

    print_rows(list_versions(load()), as_json=as_json, columns=_COLUMNS)


@app.command()
def show(
    version: Annotated[str, typer.Argument(metavar="VERSION|RECIPE", help="A version from `lungline models list`, or a recipe.")],
    as_json: _Json = False,
) -> None:
    """Show all that is known of a version, with its card; or what a recipe says, with the size of its network."""
    from lungline.settings import load
    from operations.models import describe

    found = describe(load(), version)
    if isinstance(found, Mapping):  # a recipe
        print(json.dumps(found, indent=None if as_json else 2))
    else:
        print(json.dumps(found.contents) if as_json else found.text())


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="An ensemble's version, as `lungline models list` shows it.")],
    by: _By,
    why: _Why,
    although_refused: Annotated[bool, typer.Option("--although-refused", help="Promote it even if the gate refused it.")] = False,
) -> None:
    """Make an ensemble the champion. Its files are tested first; workers take it up between batches, without a restart."""
    from lungline.progress import say
    from lungline.settings import load
    from operations import models

    change = models.promote(load(), version, by, why, although_refused=although_refused)
    if change.limited_member:
        member, pictures = change.limited_member
        say(f"{member} comes from a trial run on at most {pictures} pictures: its answers mean nothing.")
    print(
        f"{change.files.version} is champion now, in place of {change.former}. "
        f"To go back: lungline models rollback --modality {change.files.name} --by NAME --why TEXT"
    )


@app.command()
def rollback(
    by: _By,
    why: _Why,
    modality: Annotated[Literal["xray", "ct", "admission"] | None, typer.Option(help="Default: the one that was promoted last.")] = None,
) -> None:
    """Go back to the previous champion; run it again to go back one further."""
    from lungline.settings import load
    from operations import models

    change = models.rollback(load(), modality, by, why)
    print(f"{change.files.version} is champion again, in place of {change.former}.")
