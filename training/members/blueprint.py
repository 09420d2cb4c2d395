"""A recipe and the network that it makes, before anything was trained."""

from dataclasses import asdict

from models.architectures import build, count_parameters
from models.backend import keras
from training import recipes
from training.fitting.loop import freeze
from training.recipes import Recipe


def blueprint(name: str) -> dict[str, object]:
    """All that a recipe says, with the parameters of its network, in all, trained and not; takes seconds.

    Raises:
        TrainingError: there is no such recipe.
    """
    recipe = recipes.load(name)
    return {"recipe": name, **parameters(recipe, build(recipe.architecture, len(recipe.outputs))), **asdict(recipe)}


def parameters(recipe: Recipe, network: keras.Model) -> dict[str, int]:
    """`parameters`, `trainable`, `non_trainable` of a network, as the recipe trains it on top of a public base."""
    if any(isinstance(layer, keras.Model) for layer in network.layers):
        freeze(network, recipe)
    return count_parameters(network)
