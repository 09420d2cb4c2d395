"""The recipes that there are fit the rest of Lungline."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lungline.errors import TrainingError
from lungline.findings import FINDINGS, Modality, finding_of
from models.architectures import build
from models.preprocess import PREPROCESSES
from training import recipes
from training.fitting.optimise import compile_network


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_fits_its_modality_preprocessing_and_network(name: str) -> None:
    recipe = recipes.load(name)
    side = PREPROCESSES[recipe.preprocess]
    assert build(recipe.architecture, len(recipe.outputs)).input_shape == (None, side, side, 1)
    if recipe.shares is not None:
        assert {recipe.output_of(label) for label in recipe.shares} == set(recipe.outputs)
    if recipe.modality is None:
        assert recipe.outputs == ("xray", "ct", "neither")
    elif name == "ct-resnet50-cap":  # which keeps its own, and may join the ensemble all the same
        assert {finding_of(recipe.modality, output) for output in recipe.outputs} == set(FINDINGS[recipe.modality])
    else:
        assert recipe.outputs == FINDINGS[recipe.modality]
    compile_network(build("small_cnn", len(recipe.outputs)), recipe, batches=2, epochs=2)


SYSTEMS = {
    "xray-vgg16": 0.94,
    "xray-resnet50": 0.83,
    "xray-inceptionv3": 0.96,
    "xray-xception": 0.92,
    "ct-vgg16": 0.93,
    "ct-resnet50": 0.80,
    "ct-inceptionv3": 0.93,
    "ct-xception": 0.95,
    "ct-resnet50-cap": 0.9817,
    "xray-vgg16-pyimage": 0.90,
    "xray-cnn6": 0.95,
    "xray-vgg19-clahe": None,
}


def test_the_published_systems_are_all_here_with_their_figures() -> None:
    found = {name: recipes.load(name).published for name in recipes.names()}
    assert {name: described.value for name, described in found.items() if described} == SYSTEMS
    for described in found.values():
        if described:
            assert described.unstated
            assert all(sentence.endswith(".") for sentence in (*described.wrong, *described.otherwise))


def test_a_system_whose_frozen_base_sees_few_views_says_so() -> None:
    for recipe in map(recipes.load, SYSTEMS):
        assert recipe.published
        said = {0: "", 1: "one fixed view of", 2: "two fixed views of"}[recipe.views]
        assert said in " ".join(recipe.published.otherwise)


def test_what_a_recipe_says_itself_counts_over_what_it_shares() -> None:
    recipe = recipes.load("ct-vgg16")
    assert (recipe.architecture, recipe.preprocess, recipe.modality) == ("flask_vgg16", "plain-224", Modality.CT)
    assert (recipe.batch, recipe.optimiser, recipe.epochs, recipe.augment.rotate, recipe.augment.shift) == (32, "adam", 500, 20.0, 0.2)
    assert recipe.published
    assert (recipe.published.value, recipe.published.outputs, recipe.published.held_out) == (0.93, ("covid19", "non_covid"), 0.2)


@pytest.mark.parametrize(("name", "optimiser"), [("xray-vgg16", "adam"), ("xray-cnn6", "adagrad"), ("xray-vgg19-clahe", "sgd")])
def test_optimisers(name: str, optimiser: str) -> None:
    network = build("small_cnn", 3)
    compile_network(network, recipes.load(name), batches=2, epochs=2)
    assert type(network.optimizer).__name__.lower() == optimiser


def test_a_decay_divides_the_rate_at_each_step() -> None:
    """As Keras 2's `decay` did: rate / (1 + decay * steps)."""
    network = build("small_cnn", 3)
    compile_network(network, recipes.load("xray-vgg16-pyimage"), batches=2, epochs=2)
    pictures, wanted = np.zeros((3, 96, 96, 1), np.float32), np.eye(3, dtype=np.float32)
    rates = []
    for _ in range(3):
        rates.append(float(network.optimizer.learning_rate))
        network.train_on_batch(pictures, wanted)
    assert rates == pytest.approx([1e-3 / (1 + 4e-5 * step) for step in range(3)], rel=1e-6)


def test_binary_cross_entropy_averages_the_softmax_outputs() -> None:
    network = build("small_cnn", 3)
    compile_network(network, recipes.load("xray-cnn6"), batches=2, epochs=2)
    logits, wanted = np.array([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0]], np.float32), np.eye(3, dtype=np.float32)[[0, 2]]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -(wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).mean()
    assert float(network.loss(wanted, logits)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("wrong", [{"optimiser": "lion"}, {"loss": "hinge"}])
def test_what_no_training_knows_is_told(wrong: dict[str, str]) -> None:
    with pytest.raises(TrainingError, match=next(iter(wrong))):
        compile_network(build("small_cnn", 3), dataclasses.replace(recipes.load("xray-cnn"), **wrong), 2, 2)  # type: ignore[arg-type]


def test_unknown_recipe_is_told_with_those_that_there_are() -> None:
    with pytest.raises(TrainingError, match="xray-mobilenetv2"):
        recipes.load("../../secrets")


@pytest.mark.parametrize("line", ["epoch = 3", 'batch = "many"', 'modality = "mri"'])
def test_a_recipe_that_says_something_else_is_refused(line: str, tmp_path: Path) -> None:
    name = line.split(" = ")[0]
    lines = (Path(recipes.__file__).parent / "xray-cnn.toml").read_text().splitlines()
    (tmp_path / "mine.toml").write_text("\n".join([line, *(each for each in lines if not each.startswith(f"{name} ="))]))
    with pytest.raises(TrainingError, match=f"mine.toml is no recipe: `{name}`"):
        recipes.load("mine", tmp_path)
