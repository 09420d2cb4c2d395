"""`lungline train`: makes members by their recipes out of labelled scans."""

from pathlib import Path
from typing import Annotated

import typer


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
            help="Folder for the members and their ensembles. Default: HOME/training (trial runs: HOME/trials/RECIPE); the result "
            "goes into the store."
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
    from lungline.errors import TrainingError
    from lungline.settings import load

    settings = load()
    if from_run:
        from cli.train_again import train_again

        train_again(settings, from_run, out)
        return
    if not recipes:
        raise typer.BadParameter("give a RECIPE, or a run with --from-run.")
    if settings.training_data is None:
        raise TrainingError("Set LUNGLINE_TRAINING_DATA to a folder of labelled scans with a manifest.csv.")

    from training.data import audit

    audit.require_sound(settings.training_data / "manifest.csv", settings.layout.audits)

    from lungline.ids import new_id
    from lungline.layout import Store
    from models.files import adopt
    from training.evaluation.test_split_log import TestSplitLog, of_what_ships
    from training.members.train import Reporting, Start  # TensorFlow: seconds
    from training.members.train import train as make
    from training.predictions.predict import Predictions
    from workers.catalogue import champions

    kept = settings.layout.features
    start = Start(
        settings.training_data, seed, weights, settings.weights_dir, epochs, as_published, limit, kept, teachers=champions(settings)
    )
    trials = limit is not None and out is None
    for names in [[name] for name in recipes] if trials else [recipes]:
        folder = settings.layout.trials / names[0] if trials else out or settings.layout.training
        test_split_log = (
            TestSplitLog(folder)
            if trials or out
            else TestSplitLog(Store(settings.store).models, of_what_ships(Predictions(settings.training_data)))
        )
        page = settings.layout.reports / new_id()
        for member in make(names, start, folder, Reporting(page, ("val",) if no_test or limit else ("val", "test"), test_split_log)):
            print(f"{member.version}  {member.folder}")
        print(page / "index.html")
        if out is None:
            for files in adopt(folder, Store(settings.store).models):
                print(f"{files.version}  in the store")
