"""`python -m training.pose`, `train` and `judge` above all: makes what lies in models/shipped/pose."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)

Roots = Annotated[list[Path], typer.Option("--data", help="A folder of labelled scans with manifest.csv and neither/manifest.csv.")]
Learnt = Annotated[list[Path] | None, typer.Option("--series", help="A CT series in DICOM of a patient of the split train, by name.")]
Series = Annotated[list[Path], typer.Option("--series", help="A folder of one patient's CT series in DICOM, for lateral projections.")]
Rendered = Annotated[list[Path], typer.Option(help="The manifest of slices rendered from -1200 to 0 Hounsfield units.")]
Folder = Annotated[Path, typer.Argument(help="The folder of the network.")]


@app.command()
def train(
    folder: Folder,
    data: Roots,
    rendered: Rendered,
    series: Learnt = None,
    seed: int = 0,
) -> None:
    """Train the network that knows how a chest picture lies."""
    from training.pose.make import make

    make(data, series or [], rendered, folder, seed)


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
    rendered: Rendered,
    series: Learnt = None,
    epochs: Annotated[int, typer.Option(help="Of each of the two trainings.")] = 6,
) -> None:
    """Train anew without each half of the sources in turn, judge on these, and write that into the card."""
    from training.pose.judge import add_left_out

    add_left_out(folder, data, series or [], rendered, epochs)


@app.command()
def control(
    folder: Folder,
    data: Roots,
    rendered: Rendered,
    series: Learnt = None,
    epochs: Annotated[int, typer.Option(help="Of the training.")] = 3,
) -> None:
    """Train anew on shuffled labels, which must teach nothing, and write that into the card."""
    from training.pose.judge import add_control

    add_control(folder, data, series or [], rendered, epochs)


if __name__ == "__main__":
    app()
