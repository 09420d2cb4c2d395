"""What `lungline doctor` looks at of retraining: recipes, training data, ImageNet weights, the last run."""

import os
from collections.abc import Iterator

from lungline.errors import SettingsError, TrainingError
from lungline.settings import Settings


def check_recipes(settings: Settings) -> Iterator[str]:
    from training.retraining import recipe_choice

    named = recipe_choice.split_names(settings.retrain_recipes)
    if not named:
        yield "retraining: with the champions' own recipes"
        return
    try:
        names = recipe_choice.choose_recipes(named, {})
    except TrainingError as error:
        raise SettingsError(f"LUNGLINE_RETRAIN_RECIPES: {error}") from None
    yield f"retraining: with {', '.join(names)}"


def check_training_data(settings: Settings) -> Iterator[str]:
    if settings.training_data is None:
        yield "LUNGLINE_TRAINING_DATA is not set; retraining uses only imported labels"
        return
    if not os.access(settings.training_data / "manifest.csv", os.R_OK):
        raise SettingsError("LUNGLINE_TRAINING_DATA has no manifest.csv that this user can read; `lungline data build` makes one.")
    yield "LUNGLINE_TRAINING_DATA: has a manifest.csv"


def check_weights(settings: Settings) -> Iterator[str]:
    if settings.weights_dir is None:
        yield "LUNGLINE_WEIGHTS_DIR is not set; recipes that need ImageNet weights download them"
        return
    if not (os.access(settings.weights_dir, os.R_OK | os.X_OK) and settings.weights_dir.is_dir()):
        raise SettingsError("LUNGLINE_WEIGHTS_DIR is not a folder that this user can read: create it, or unset the setting.")
    found = len(list(settings.weights_dir.glob("*_notop.weights.h5")))
    yield f"LUNGLINE_WEIGHTS_DIR: {found} files of ImageNet weights"


def check_last_run(settings: Settings) -> Iterator[str]:
    from db import runs
    from db.connect import read_only
    from db.migrate import open_database

    with read_only(open_database(settings)).connect() as connection:
        last = runs.latest(connection)
    if last is None:
        yield "last training run: none yet"
    else:
        why = f": {last['reason']} See docs/retraining.md" if last["state"] == "failed" else ""
        yield f"last training run: {last['state']}{why}"
