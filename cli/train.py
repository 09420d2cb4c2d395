"""`lungline train`: makes members by their recipes out of labelled scans."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipes: Annotated[list[str], typer.Argument(metavar="RECIPE...", help="For example xray-mobilenetv2, ct-mobilenetv2, admission-cnn.")],
    seed: Annotated[int, typer.Option(help="The same seed, data and machine give the same weights.")] = 0,
    weights: Annotated[str, typer.Option(help="`imagenet` (LUNGLINE_WEIGHTS_DIR, else Keras' download) or `none`.")] = "imagenet",
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many; by default as the recipe says.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the members and their ensembles. Default `STORE/models`.")] = None,
) -> None:
    """Train members by recipe on LUNGLINE_TRAINING_DATA, and judge each once on its test split."""
    from lungline.errors import TrainingError
    from lungline.settings import load
    from training import recipes as book

    settings = load()
    if settings.training_data is None:
        raise TrainingError("Set LUNGLINE_TRAINING_DATA to a folder of labelled scans with a manifest.csv.")
    chosen = [book.load(name) for name in dict.fromkeys(recipes)]
    folder = out or settings.store / "models"

    from training.make import Start, compose, make  # TensorFlow: seconds

    start = Start(settings.training_data, seed, weights, settings.weights_dir, epochs)
    made = [make(recipe, start, folder) for recipe in chosen]
    compose(made, folder)
    for each in made:
        print(f"{each.member.version}  {each.member.folder}")
