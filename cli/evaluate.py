"""`lungline evaluate`: how good members and ensembles are, on labelled scans that they were not trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from models.files import EnsembleFiles
    from training.judge import Judge


def evaluate(
    versions: Annotated[
        list[str] | None,
        typer.Argument(metavar="[VERSION]...", help="Versions or names of members and ensembles. Default: all in the folder."),
    ] = None,
    split: Annotated[str, typer.Option(help="`test` (each look at it is counted), `val`, or `both`.")] = "both",
    models: Annotated[
        Path | None,
        typer.Option(
            help="A folder of models, as `lungline train` writes it: cards and figures are written there, too. Default: what ships."
        ),
    ] = None,
) -> None:
    """Judge members and ensembles on LUNGLINE_TRAINING_DATA: cards to read, figures for the view model_quality."""
    from lungline.errors import TrainingError
    from lungline.settings import load

    settings = load()
    if settings.training_data is None:
        raise TrainingError("Set LUNGLINE_TRAINING_DATA to a folder of labelled scans with a manifest.csv.")
    splits = {"test": ["test"], "val": ["val"], "both": ["val", "test"]}.get(split)
    if splits is None:
        raise typer.BadParameter("`--split` takes test, val or both.")

    from db import quality
    from db.migrate import open_database
    from models.files import ENSEMBLES, read_ensemble
    from models.registry import SHIPPED
    from training.judge import Judge
    from training.readings import Readings

    root = models or SHIPPED
    judge = Judge(root, Readings(settings.training_data), settings.weights_dir, writes=models is not None)
    found = {path.stem: read_ensemble(root, path.stem) for path in sorted((root / ENSEMBLES).glob("*.json"))}
    asked = set(versions or ())
    unknown = asked - {name for files in found.values() for name in _names(files)}
    if unknown or not found:
        raise TrainingError(f"The folder of models has no {', '.join(sorted(unknown)) or 'ensemble'}.")
    engine = open_database(settings)
    for stem, files in found.items():
        for version, told, card in _judged(judge, stem, files, splits, asked):
            with engine.begin() as connection:
                for data in splits:
                    quality.enter(connection, quality.rows(version, data, told["figures" if data == "test" else "validation"]))
            print(card)


def _judged(judge: "Judge", stem: str, files: "EnsembleFiles", splits: list[str], asked: set[str]) -> Any:
    """Version, figures and card of each that was asked for, one by one."""
    from models.admission import NEITHER

    whole = not asked or bool(asked & {files.name, files.version})
    for place in files.places:
        if whole or asked & {place.member.name, place.member.version}:
            yield (place.member.version, *judge.member(place.member, splits, files.thresholds.get(NEITHER)))
    if whole and files.modality is not None:
        yield (files.version, *judge.ensemble(files, stem, splits))


def _names(files: "EnsembleFiles") -> set[str]:
    return {files.name, files.version, *(name for place in files.places for name in (place.member.name, place.member.version))}
