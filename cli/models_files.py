"""`lungline models export` and `import`: networks as files for, and from, elsewhere."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    version: Annotated[str, typer.Argument(help="A member's version or name, as `lungline models list` shows it.")],
    form: Annotated[str, typer.Option("--format", help="litert, onnx, openvino or savedmodel.")],
    out: Annotated[Path | None, typer.Option(help="The file, or a folder for it. Default: the current folder.")] = None,
) -> None:
    """Write a member's network for another library. The file is run and compared with Keras; if it disagrees, nothing is written."""
    from lungline.progress import say
    from lungline.settings import load
    from operations.network_files import FORMS, export_network, find_exportable

    if form not in FORMS:
        raise typer.BadParameter(f"`--format` takes {', '.join(FORMS)}.")
    member = find_exportable(load(), version)
    say(f"{member.version}: writing it as {form} and comparing it with Keras on drawn chests; this takes ten seconds to two minutes")
    written = export_network(member, form, out or Path())
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
    from lungline.progress import say
    from lungline.settings import load
    from operations.network_files import import_network

    settings = load()
    named = [name.strip() for name in outputs.split(",")] if outputs is not None else None
    made = import_network(settings, file, recipe, named)
    if made.code:
        say(f"Code in the file was not run (layers {', '.join(made.code)}): the recipe's own preprocessing replaces it.")
    if settings.training_data is None:
        say("Imported without figures: set LUNGLINE_TRAINING_DATA to labelled scans and import it again to have it evaluated.")
    print(made.member.version)
    if made.ensemble:
        print(f"{made.ensemble.version}  a challenger; `lungline models promote` makes it champion")
    else:
        print("Its outputs do not cover the findings of its modality, so it joins no ensemble.")
