"""The recipes that there are fit the rest of Lungline."""

import pytest

from lungline.errors import TrainingError
from lungline.findings import FINDINGS
from models.architectures import build
from models.preprocess import PREPROCESSES
from training import recipes


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_fits_its_modality_preprocessing_and_network(name: str) -> None:
    recipe = recipes.load(name)
    side = PREPROCESSES[recipe.preprocess]
    assert build(recipe.architecture, len(recipe.outputs)).input_shape == (None, side, side, 1)
    if recipe.shares is not None:
        assert {recipe.output_of(label) for label in recipe.shares} == set(recipe.outputs)
    assert recipe.outputs == (FINDINGS[recipe.modality] if recipe.modality else ("xray", "ct", "neither"))


def test_unknown_recipe_is_told_with_those_that_there_are() -> None:
    with pytest.raises(TrainingError, match="xray-mobilenetv2"):
        recipes.load("../../secrets")
