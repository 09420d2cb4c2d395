"""`lungline evaluate`: how good members and ensembles are, on labelled scans that they were not trained on."""

from pathlib import Path
from typing import Annotated

import typer

_SPLITS = {"test": ("test",), "val": ("val",), "both": ("val", "test")}


def evaluate(
    versions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VERSION]...", help="Versions or names of members and ensembles; an ensemble includes its members. Default: all."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="`test` (each use is counted), `val`, or `both`.")] = "both",
    models: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder of models as `lungline train --out` writes it. Default: models that ship, and those in the store.",
        ),
    ] = None,
    leave_one_out: Annotated[
        bool,
        typer.Option(
            "--leave-one-out", help="Train members again without each source in turn, and evaluate them on that source; takes hours."
        ),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(metavar="MANIFEST", help="Another data set, as `lungline data build` writes it. Default: LUNGLINE_TRAINING_DATA."),
    ] = None,
) -> None:
    """Evaluate members and ensembles on labelled scans: writes a report, cards, and rows of the view model_quality."""
    from lungline.progress import say
    from lungline.settings import load
    from operations import evaluate as operation

    if split not in _SPLITS:
        raise typer.BadParameter("`--split` takes test, val or both.")
    page = operation.evaluate(
        load(),
        versions or (),
        _SPLITS[split],
        models=models,
        data=data,
        leave_one_out=leave_one_out,
        show=print,
        say=say,
    )
    print(page)
