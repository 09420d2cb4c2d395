"""`lungline data`: makes labelled data sets that training reads, and audits them."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.output import print_rows
from lungline.findings import Modality

app = typer.Typer(no_args_is_help=True)


class Kind(StrEnum):
    """What a data set is built from: the same as `training.data.builders.KINDS`, and this home's store."""

    IEEE8023 = "ieee8023"
    COVID_CT = "covid-ct"
    FOLDERS = "folders"
    TREE = "tree"
    MANIFEST = "manifest"
    STORE = "store"


_FROM = (
    "ieee8023: a clone of ieee8023/covid-chestxray-dataset. covid-ct: a clone of UCSD-AI4H/COVID-CT. folders: a folder for each class. "
    "tree: train, validation and test, each with a folder for each class. manifest: a CSV file with path, label, modality, patient "
    "or group, "
    "source, split. store: the scans of this home that readers have labelled (`lungline labels import`); no path."
)


@app.callback()
def data() -> None:
    """Build and check the manifest of labelled scans for training."""


@app.command()
def build(
    kind: Annotated[Kind, typer.Option("--from", metavar="KIND", help=_FROM, show_default=False)],
    out: Annotated[Path, typer.Option(metavar="MANIFEST", help="The CSV file to write, preferably `manifest.csv`; or a folder for it.")],
    path: Annotated[Path | None, typer.Argument(help="The data set: a folder, or a CSV file.", show_default=False)] = None,
    modality: Annotated[Modality | None, typer.Option(help="The modality of all pictures, if no folder or column says it.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="OLD=NEW", help="Translate the name of a class; OLD= leaves the class out.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Where the pictures come from. Default: the data set's name.")] = None,
    only_sound: Annotated[
        bool,
        typer.Option(
            "--only-sound",
            help="Leave out what `lungline data check` reports as errors: unreadable pictures, two labels, copies in two splits.",
        ),
    ] = False,
) -> None:
    """Write the manifest of a data set. Pictures stay where they are; archives are unpacked beside the manifest."""
    from lungline.settings import load
    from operations import data_sets

    if kind is Kind.STORE:
        if path or modality or label or source or only_sound:
            raise typer.BadParameter("`--from store` takes no PATH and no option except --out")
        built = data_sets.build_from_store(load(), out)
    elif path is None:
        raise typer.BadParameter("PATH is missing: a folder or a CSV file with the data set", param_hint="PATH")
    else:
        built = data_sets.build(kind, path, out, labels=label or (), modality=modality, source=source, only_sound=only_sound)
    splits, rows = data_sets.count_pictures(built)
    print_rows(rows, as_json=False, columns=("modality", "label", *splits, "groups"))
    for why, count in built.skipped.items():
        print(f"Left out: {count} {why}.")
    if built.unreadable:
        print(f"{built.unreadable} pictures cannot be read: `lungline data check` reports them as errors, `--only-sound` leaves them out.")
    if built.torn:
        print(f"{built.torn} groups are in two splits of the data set: `lungline data check` shows which rows;")
        print("`--only-sound` keeps only their rows in the most protected split.")


@app.command()
def check(
    manifest: Annotated[Path, typer.Argument(help="A manifest, or the folder that contains it.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line: check, severity, detail.")] = False,
) -> None:
    """Check a data set for leaks between its splits, copies, clashing labels and shortcuts. Exit 1 if `lungline train` would refuse it."""
    from lungline.progress import say
    from lungline.settings import load
    from operations import data_sets

    found = data_sets.check(load(), manifest)
    for figure in found.figures:
        say(str(figure))
    for finding in found.findings:
        row = {"check": finding.check, "severity": finding.severity.value, "detail": finding.detail}
        print(json.dumps(row) if as_json else f"{finding.severity.value:<8}{finding.check:<16}{finding.detail}")
    if not as_json:
        print(f"{len(found.errors)} errors, {len(found.findings) - len(found.errors)} warnings.")
    if found.errors:
        raise typer.Exit(1)
