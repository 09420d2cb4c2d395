"""`lungline train`: makes members by their recipes out of labelled scans."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipes: Annotated[
        list[str] | None,
        typer.Argument(metavar="RECIPE...", help="For example xray-mobilenetv2, ct-cnn, xray-vgg16; docs/models.md has all."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed, data and machine give the same weights.")] = 0,
    weights: Annotated[str, typer.Option(help="`imagenet` (LUNGLINE_WEIGHTS_DIR, else Keras' download) or `none`.")] = "imagenet",
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many; by default as the recipe says.")] = None,
    as_published: Annotated[
        bool, typer.Option("--as-published", help="With the published system's own head, split and protocol, told what is wrong with it.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=8, help="A trial, on at most so many pictures of each split, and each recipe by itself.")
    ] = None,
    no_test: Annotated[
        bool, typer.Option("--no-test", help="Leave the test split unseen, for those who have yet to choose; a trial leaves it, too.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the members and their ensembles. Default HOME/training (trials: HOME/trials/RECIPE), and what comes of it "
            "goes into the store."
        ),
    ] = None,
    from_run: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Instead: by the recipes, data and seed of a training run; says whether it is the same."),
    ] = None,
) -> None:
    """Train members by recipe on LUNGLINE_TRAINING_DATA, and an ensemble of all in the folder. Killed and run again, it goes on."""
    from lungline.errors import TrainingError
    from lungline.settings import load

    settings = load()
    if from_run:
        from cli.train_again import train_again

        train_again(settings, from_run, out)
        return
    if not recipes:
        raise typer.BadParameter("name a RECIPE, or a run with --from-run.")
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
