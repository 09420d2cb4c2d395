"""`lungline models`: which models there are, what is known of them, and which ensemble judges."""

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import models_files

if TYPE_CHECKING:
    from lungline.settings import Settings
    from models.files import EnsembleFiles

app = typer.Typer(no_args_is_help=True)
app.command()(models_files.export)
app.command("import")(models_files.import_)

_Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
_By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides this; kept for ever.")]
_Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; kept for ever.")]


@app.callback()
def models() -> None:
    """Show, promote, roll back, export and import networks."""
    from lungline import log

    log.configure("models")  # to standard error: what is passed over, which runtime runs what


@app.command("list")
def list_versions(as_json: _Json = False) -> None:
    """Show ensembles and members, and which ensemble is champion."""
    from sqlalchemy import text

    from cli.output import print_rows
    from db.migrate import open_database
    from lungline.layout import Store
    from lungline.settings import load
    from workers import catalogue

    settings = load()
    with open_database(settings).begin() as connection:
        catalogue.enter(connection, Store(settings.store).models)
        rows = connection.execute(text("SELECT * FROM model_versions ORDER BY kind, name, created_at")).mappings()
        print_rows(rows, as_json=as_json, columns=("version", "kind", "name", "modality", "state", "promoted_at", "promoted_by"))


@app.command()
def show(
    version: Annotated[str, typer.Argument(metavar="VERSION|RECIPE", help="A version from `lungline models list`, or a recipe.")],
    as_json: _Json = False,
) -> None:
    """Show all that is known of a version, with its card; or what a recipe says, with the size of its network."""
    from lungline.errors import ModelError
    from lungline.layout import Store
    from lungline.settings import load
    from models.registry import descriptions

    for found in descriptions(Store(load().store).models):
        if found.version == version:
            print(json.dumps(found.contents) if as_json else found.text())
            return
    from training import recipes

    if version in recipes.names():
        from training.members.blueprint import blueprint  # TensorFlow: seconds

        print(json.dumps(blueprint(version), indent=None if as_json else 2))
        return
    raise ModelError(
        f"There is no such version (see `lungline models list`) and no such recipe; the recipes are {', '.join(recipes.names())}."
    )


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="An ensemble's version, as `lungline models list` shows it.")],
    by: _By,
    why: _Why,
    although_refused: Annotated[bool, typer.Option("--although-refused", help="Promote it even if the gate refused it.")] = False,
) -> None:
    """Make an ensemble the champion. Its files are tested first; workers take it up between batches, without a restart."""
    from db import versions
    from db.migrate import open_database
    from lungline.layout import Store
    from lungline.progress import say
    from lungline.settings import load
    from workers import catalogue

    settings = load()
    versions.check_grounds(by, why)  # before anything that takes time
    engine = open_database(settings)
    with engine.begin() as connection:
        catalogue.enter(connection, Store(settings.store).models)
    with engine.begin() as connection:
        versions.check_promotable(connection, version, although_refused=although_refused)
    files = _tried(settings, version)
    with engine.begin() as connection:
        members = [place.member.version for place in files.places]
        before = versions.promote(connection, version, members, by, why, although_refused=although_refused)
    if trials := [place.member for place in files.places if place.member.record.limit]:
        say(f"{trials[0].version} comes from a trial run on at most {trials[0].record.limit} pictures: its answers mean nothing.")
    print(
        f"{version} is champion now, in place of {before}. To go back: lungline models rollback --modality {files.name} --by NAME "
        f"--why TEXT"
    )


@app.command()
def rollback(
    by: _By,
    why: _Why,
    modality: Annotated[Literal["xray", "ct", "admission"] | None, typer.Option(help="Default: the one that was promoted last.")] = None,
) -> None:
    """Go back to the previous champion; run it again to go back one further."""
    from db import versions
    from db.migrate import open_database
    from lungline.settings import load

    settings = load()
    versions.check_grounds(by, why)  # before anything that takes time
    engine = open_database(settings)
    with engine.connect() as connection:
        champion, former = versions.before(connection, modality)
    files = _tried(settings, former)
    with engine.begin() as connection:
        versions.rollback(connection, champion, former, [place.member.version for place in files.places], by, why)
    print(f"{former} is champion again, in place of {champion}.")


def _tried(settings: "Settings", version: str) -> "EnsembleFiles":
    """The files of a version, after all of it was loaded and compared with the reference, as a worker on this machine will do.

    Raises:
        ModelError: they are missing or damaged, or do not run here.
    """
    from lungline.layout import Store
    from models import registry
    from models.runtimes.choice import RuntimeChoice

    files = registry.find(version, Store(settings.store).models)
    load = registry.load_admission if files.modality is None else registry.load_ensemble
    registry.try_out(load(files, RuntimeChoice.of(settings)))
    return files
