"""`lungline train`: makes members by their recipes out of labelled scans."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lungline.settings import Settings

_COMPARED = {True: "the same weights", False: "other weights than that run left", None: "that run left none"}


def train(
    recipes: Annotated[
        list[str] | None,
        typer.Argument(metavar="RECIPE...", help="For example xray-mobilenetv2, ct-cnn, xray-vgg16; docs/models.md lists all."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed, data and machine give the same weights.")] = 0,
    weights: Annotated[str, typer.Option(help="`imagenet` (from LUNGLINE_WEIGHTS_DIR, else downloaded by Keras) or `none`.")] = "imagenet",
    epochs: Annotated[int | None, typer.Option(min=1, help="The largest number of epochs. Default: as the recipe says.")] = None,
    as_published: Annotated[
        bool,
        typer.Option(
            "--as-published", help="Use the published system's own head, split and protocol; the report says what is wrong with them."
        ),
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=8, help="A trial run: at most this many pictures of each split, each recipe by itself.")
    ] = None,
    no_test: Annotated[
        bool, typer.Option("--no-test", help="Do not evaluate on the test split, while you have yet to choose; a trial run never does.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help=(
                "Folder for the members and their ensembles. Default: HOME/training (trial runs: HOME/trials/RECIPE); the result "
                "goes into the store."
            )
        ),
    ] = None,
    from_run: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Repeat this training run with its recipes, data and seed, and say whether the weights are the same."
        ),
    ] = None,
) -> None:
    """Train members on LUNGLINE_TRAINING_DATA, and make an ensemble of them. If it was stopped, run it again to go on."""
    from lungline.settings import load

    if from_run:
        _train_again(load(), from_run, out)
        return
    if not recipes:
        raise typer.BadParameter("give a RECIPE, or a run with --from-run.")

    from operations.train import TrainedMembers, TrainingChoice
    from operations.train import train as operation

    for made in operation(load(), recipes, TrainingChoice(seed, weights, epochs, as_published, limit, no_test, out)):
        if isinstance(made, TrainedMembers):
            for member in made.members:
                print(f"{member.version}  {member.folder}")
            print(made.page)
        else:
            print(f"{made.version}  in the store")


def _train_again(settings: "Settings", run_id: str, out: Path | None) -> None:
    from operations.repeat_run import repeat_run

    for made in repeat_run(settings, run_id, out, print):
        print(f"{made.member.version}  {made.member.folder}  {_COMPARED[made.is_same]}")
