"""Which recipes a retraining trains, and for which champions. Loads no network library."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from lungline.errors import TrainingError
from models.files import EnsembleFiles
from training import recipes

BASE_WEIGHTS: Final = "imagenet"  # what a retraining starts from, as its row records


def split_names(text: str) -> tuple[str, ...]:
    """The names of a comma-separated text, as LUNGLINE_RETRAIN_RECIPES has them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def choose_recipes(names: Sequence[str], champions: Mapping[str, EnsembleFiles]) -> tuple[str, ...]:
    """The recipes to train.

    Args:
        names: of recipes; none: those that the champions were made by.
        champions: by modality.

    Raises:
        TrainingError: there is no such recipe, none at all, or one whose member no gate judges: admission's, or a student.
    """
    if not names:
        known = recipes.names()
        made_by = (place.member.record.recipe for files in champions.values() for place in files.places)
        names = [name for name in made_by if name is not None and name in known]
    if not names:
        raise TrainingError("No champion was made with a recipe of this version of Lungline: set LUNGLINE_RETRAIN_RECIPES.")
    for name in names:
        recipe = recipes.load(name)
        if recipe.modality is None:
            raise TrainingError(f"`{name}` is for admission, which has no gate: use `lungline train` and `lungline models promote`.")
        if recipe.votes:
            raise TrainingError(f"`{name}` is a student, which joins no ensemble: use `lungline train {name}`.")
    return tuple(dict.fromkeys(names))


def learnable(names: Sequence[str], modalities: Collection[str]) -> tuple[str, ...]:
    """Those of a modality that there are scans enough of; all where that leaves none, so that it is told what is missing."""
    return tuple(name for name in names if recipes.load(name).modality in modalities) or tuple(names)


def is_for(name: str, champion: EnsembleFiles) -> bool:
    """Whether a recipe makes a member for this champion's modality."""
    return recipes.load(name).modality is champion.modality
