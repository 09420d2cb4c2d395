"""Which recipes are retrained."""

import dataclasses

import pytest

from lungline.errors import TrainingError
from lungline.findings import Modality
from models.files import EnsembleFiles
from models.registry import shipped
from training.retraining import recipe_choice


@pytest.fixture
def champions() -> dict[str, EnsembleFiles]:
    return {modality.value: files for modality, files in shipped().items()}


def test_by_default_those_that_made_the_champions(champions: dict[str, EnsembleFiles]) -> None:
    made_by = {place.member.record.recipe for files in champions.values() for place in files.places}
    names = recipe_choice.choose_recipes((), champions)
    assert set(names) == made_by
    assert all(recipe_choice.is_for(name, champions[name.split("-")[0]]) for name in names)


def test_those_that_are_asked_for_once_each(champions: dict[str, EnsembleFiles]) -> None:
    assert recipe_choice.choose_recipes(recipe_choice.split_names("ct-cnn, xray-cnn,ct-cnn"), champions) == ("ct-cnn", "xray-cnn")


def test_of_the_default_those_that_there_are_scans_for(champions: dict[str, EnsembleFiles]) -> None:
    names = recipe_choice.choose_recipes((), champions)
    assert recipe_choice.learnable(names, {"ct"}) == tuple(name for name in names if name.startswith("ct-"))
    assert recipe_choice.learnable(names, set()) == names


@pytest.mark.parametrize(
    ("names", "message"),
    [(("no-such-recipe",), "No recipe"), (("xray-cnn", "admission-cnn"), "no gate"), (("ct-student",), "joins no ensemble")],
)
def test_what_cannot_be_retrained_is_told(names: tuple[str, ...], message: str, champions: dict[str, EnsembleFiles]) -> None:
    with pytest.raises(TrainingError, match=message):
        recipe_choice.choose_recipes(names, champions)


def test_champions_that_came_from_elsewhere_have_no_recipe(champions: dict[str, EnsembleFiles]) -> None:
    place = champions["xray"].places[0]
    imported = dataclasses.replace(
        place, member=dataclasses.replace(place.member, record=place.member.record.model_copy(update={"recipe": None}))
    )
    with pytest.raises(TrainingError, match="LUNGLINE_RETRAIN_RECIPES"):
        recipe_choice.choose_recipes((), {Modality.XRAY.value: dataclasses.replace(champions["xray"], places=(imported,))})
