"""`python -m training.pose train` and `judge`: makes what lies in models/shipped/pose."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)

Roots = Annotated[list[Path], typer.Option("--data", help="A folder of labelled scans with manifest.csv and neither/manifest.csv.")]
Series = Annotated[list[Path], typer.Option("--series", help="A folder of one patient's CT series in DICOM, for lateral projections.")]
Rendered = Annotated[list[Path], typer.Option(help="The manifest of slices rendered from -1200 to 0 Hounsfield units.")]
Folder = Annotated[Path, typer.Argument(help="The folder of the network.")]


@app.command()
def train(
    folder: Folder,
    data: Roots,
    series: Series,
    rendered: Rendered,
    seed: int = 0,
) -> None:
    """Train the network that knows how a chest picture lies."""
    from training.pose.make import make

    make(data, series, rendered, folder, seed)


@app.command()
def judge(
    folder: Folder,
    data: Roots,
    series: Series,
) -> None:
    """Set the threshold on validation, judge on validation and test, and write the card. `--series`: patients that nobody trained on."""
    from training.pose.judge import judge as run

    run(folder, data, series)


@app.command()
def leave_out(
    folder: Folder,
    data: Roots,
    series: Series,
    rendered: Rendered,
    epochs: Annotated[int, typer.Option(help="Of each of the two trainings.")] = 6,
) -> None:
    """Train anew without each half of the sources in turn, judge on these, and write that into the card."""
    from training.pose.judge import add_left_out

    add_left_out(folder, data, series, rendered, epochs)


if __name__ == "__main__":
    app()
