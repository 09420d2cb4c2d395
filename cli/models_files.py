"""`lungline models export` and `import`: networks as files for, and from, elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lungline.settings import Settings
    from models.files import Member


def export(
    version: Annotated[str, typer.Argument(help="A member's version or name, as `lungline models list` shows it.")],
    form: Annotated[str, typer.Option("--format", help="litert, onnx, openvino or savedmodel.")],
    out: Annotated[Path | None, typer.Option(help="The file, or a folder for it. Default: the current folder.")] = None,
) -> None:
    """Write a member's network for another library. The file is run and compared with Keras; if it disagrees, nothing is written."""
    from lungline.progress import say
    from lungline.settings import load
    from models.interchange import export

    if form not in export.ENDINGS:
        raise typer.BadParameter(f"`--format` takes {', '.join(export.ENDINGS)}.")
    member = _member(load(), version)
    say(f"{member.version}: writing it as {form} and comparing it with Keras on drawn chests; this takes ten seconds to two minutes")
    written = export.export(member, form, out or Path())
    print(f"{written}  input, outputs and licence: {written}.json")


def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An `.h5` or `.keras` file of Keras.")],
    recipe: Annotated[str, typer.Option(help="The recipe that it was trained with, for example xray-vgg16-pyimage.")],
    outputs: Annotated[
        str | None,
        typer.Option(metavar="FINDING,...", help="What the file's outputs mean, in the file's order, for example covid19,normal."),
    ] = None,
) -> None:
    """Import a network that was trained elsewhere: checked layer by layer, evaluated on labelled scans, stored as a challenger."""
    from lungline.layout import Store
    from lungline.progress import say
    from lungline.settings import load
    from workers import catalogue

    settings = load()
    models = Store(settings.store).models

    from db.migrate import open_database
    from training.members.take_in import bring_in  # TensorFlow: seconds

    named = [name.strip() for name in outputs.split(",")] if outputs is not None else None
    made = bring_in(file, recipe, named, settings.training_data, models)
    with open_database(settings).begin() as connection:
        catalogue.enter(connection, models)
    if made.code:
        say(f"Code in the file was not run (layers {', '.join(made.code)}): the recipe's own preprocessing replaces it.")
    if settings.training_data is None:
        say("Imported without figures: set LUNGLINE_TRAINING_DATA to labelled scans and import it again to have it evaluated.")
    print(made.member.version)
    if made.ensemble:
        print(f"{made.ensemble.version}  a challenger; `lungline models promote` makes it champion")
    else:
        print("Its outputs do not cover the findings of its modality, so it joins no ensemble.")


def _member(settings: "Settings", asked: str) -> "Member":
    """A member by its version; or by its name: the one that judges, else the latest.

    Raises:
        ModelError: there is none, it is an ensemble, or its files are not at hand.
    """
    from sqlalchemy import text

    from db.migrate import open_database
    from lungline.errors import ModelError
    from lungline.layout import Store
    from models.registry import find_member
    from workers import catalogue

    models = Store(settings.store).models
    with open_database(settings).begin() as connection:
        catalogue.enter(connection, models)
        query = text(
            "SELECT version, kind FROM model_versions WHERE version = :asked OR name = :asked"
            " ORDER BY CASE WHEN state = 'champion' THEN 0 ELSE 1 END, created_at DESC, version"
        )
        found = connection.execute(query, {"asked": asked}).first()
    if found is None:
        raise ModelError("There is no such member; see `lungline models list`.")
    if found.kind != "member":
        raise ModelError("This is an ensemble: export its members one by one; `lungline models show` lists them.")
    return find_member(found.version, models)
