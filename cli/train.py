"""`lungline train`: makes members by their recipes out of labelled scans."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipes: Annotated[
        list[str], typer.Argument(metavar="RECIPE...", help="For example xray-mobilenetv2, xray-cnn, ct-mobilenetv2, ct-cnn.")
    ],
    seed: Annotated[int, typer.Option(help="The same seed, data and machine give the same weights.")] = 0,
    weights: Annotated[str, typer.Option(help="`imagenet` (LUNGLINE_WEIGHTS_DIR, else Keras' download) or `none`.")] = "imagenet",
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many; by default as the recipe says.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the members and their ensembles. Default HOME/training, and what comes of it goes into the store."),
    ] = None,
) -> None:
    """Train members by recipe on LUNGLINE_TRAINING_DATA, and an ensemble of all in the folder. Killed and run again, it goes on."""
    from lungline.errors import TrainingError
    from lungline.settings import load

    settings = load()
    if settings.training_data is None:
        raise TrainingError("Set LUNGLINE_TRAINING_DATA to a folder of labelled scans with a manifest.csv.")
    folder = out or settings.home / "training"

    from training import audit

    audit.require_sound(settings.training_data / "manifest.csv", settings.home)

    from models.files import adopt
    from training.make import Start  # TensorFlow: seconds
    from training.make import train as make
    from workers.catalogue import models_folder

    made = make(recipes, Start(settings.training_data, seed, weights, settings.weights_dir, epochs), folder)
    for member in made:
        print(f"{member.version}  {member.folder}")
    if out is None:
        for files in adopt(folder, models_folder(settings)):
            print(f"{files.version}  in the store")
