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
_By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides it; kept for ever.")]
_Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="On what grounds; kept for ever.")]


@app.callback()
def models() -> None:
    """The networks that read scans: versions, figures, where they come from, and which judge."""
    from lungline import log

    log.configure("models")  # to standard error: what is passed over, which runtime runs what


@app.command("list")
def list_versions(as_json: _Json = False) -> None:
    """List ensembles and members, and which ensemble judges."""
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
    version: Annotated[str, typer.Argument(metavar="VERSION|RECIPE", help="As `lungline models list` prints it; or a recipe.")],
    as_json: _Json = False,
) -> None:
    """Show all that is known of a version, a member's card or an ensemble's parts; or what a recipe says, with its network's size."""
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
        f"There is no such version, see `lungline models list`; and no such recipe, of which there are {', '.join(recipes.names())}."
    )


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="An ensemble, as `lungline models list` prints it.")],
    by: _By,
    why: _Why,
    although_refused: Annotated[bool, typer.Option("--although-refused", help="Let even one judge that the gate refused.")] = False,
) -> None:
    """Let an ensemble judge from now on. Its files are tried first; workers take it up between batches, without a restart."""
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
        say(f"{trials[0].version} is a trial on at most {trials[0].record.limit} pictures: what it answers means nothing.")
    print(f"{version} judges; before it, {before}. Back: lungline models rollback --modality {files.name} --by NAME --why TEXT")


@app.command()
def rollback(
    by: _By,
    why: _Why,
    modality: Annotated[Literal["xray", "ct", "admission"] | None, typer.Option(help="By default whichever was promoted last.")] = None,
) -> None:
    """Let the ensemble judge again that the present one was promoted over; once more, and it goes back one further."""
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
    print(f"{former} judges again; before it, {champion}.")


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
