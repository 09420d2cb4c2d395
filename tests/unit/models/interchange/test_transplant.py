"""Weights out of Keras' own files, into our networks: they answer as they did, or it is said which layer does not fit."""

from pathlib import Path

import numpy as np
import pytest

from lungline.errors import ModelError
from models.architectures import build
from models.backend import keras
from models.calibration import probabilities
from models.interchange.foreign import read
from models.interchange.transplant import count_outputs, transplant
from models.runtimes import agreement
from models.runtimes.keras import KerasRuntime
from tests.unit.models import keras_made
from tests.unit.models.keras_made import answers, cnn6

MOST = 2**30


def moved(path: Path, architecture: str, outputs: int = 2) -> keras.Model:
    network = build(architecture, outputs)
    transplant(read(path, MOST), network)
    return network


def agrees(network: keras.Model, theirs: keras.Model, preprocess: str) -> None:
    """On drawn chests, black and noise, among which answers differ."""
    chests = agreement.draw_pictures(preprocess)[[0, 16]]
    noise = np.random.default_rng(1).random(chests[:1].shape, np.float32)
    pictures = np.concatenate([chests, np.zeros_like(noise), noise])
    expected = answers(theirs, pictures)
    assert np.ptp(expected, axis=0).max() > 0.05
    np.testing.assert_allclose(probabilities(KerasRuntime(network).run(pictures), 1.0), expected, atol=2e-4)


@pytest.fixture(scope="module")
def theirs() -> keras.Model:
    return cnn6()


@pytest.mark.parametrize("kind", ["whole.h5", "whole.keras", "only.weights.h5", "keras-2.h5", "keras-2-weights.h5"])
def test_a_sequential_network_answers_as_it_did(kind: str, theirs: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / kind
    if kind.startswith("keras-2"):
        keras_made.save_as_keras_2(theirs, path, whole=kind == "keras-2.h5")
    elif kind.startswith("only"):
        theirs.save_weights(path)
    else:
        theirs.save(path)
    foreign = read(path, MOST)
    assert count_outputs(foreign) == 2
    assert foreign.sides == (None if "weights" in kind else (300, 300))
    agrees(moved(path, "cnn6"), theirs, "plain-300")


def test_functional_network_with_its_base_answers_as_before(tmp_path: Path) -> None:
    theirs = keras_made.pyimage()
    theirs.save(tmp_path / "covid19.model.h5")
    agrees(moved(tmp_path / "covid19.model.h5", "vgg16_pyimage"), theirs, "plain-224")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["h5", "keras", "weights.h5"])
@pytest.mark.parametrize("application", ["VGG16", "ResNet50", "InceptionV3", "Xception"])
def test_the_four_bases_of_system_1(application: str, kind: str, tmp_path: Path) -> None:
    theirs = keras_made.flask(application)
    path = tmp_path / f"chest.{kind}"
    (theirs.save_weights if kind.startswith("weights") else theirs.save)(path)
    agrees(moved(path, f"flask_{application.lower()}"), theirs, "plain-224")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["h5", "keras", "weights.h5", "keras-2"])
def test_system_2_whose_lambda_is_not_run(kind: str, tmp_path: Path) -> None:
    theirs = keras_made.cap()
    path = tmp_path / f"cap.{kind}"
    if kind == "keras-2":
        keras_made.save_as_keras_2(theirs, path)
    else:
        (theirs.save_weights if kind.startswith("weights") else theirs.save)(path)
    foreign = read(path, MOST)
    assert [name.startswith("lambda") for name in foreign.code] == ([] if kind.startswith("weights") else [True])
    network = build("resnet50_cap", 3)
    transplant(foreign, network)
    agrees(network, theirs, "minmax-512")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"width": 48}, r"Layer `conv2d_?\d*` of the file does not fit the recipe's `conv6`: .* 3x3x32x48.* the recipe's are 3x3x32x64"),
        ({"side": 200}, r"`dense_?\d*` .* does not fit the recipe's `logits`"),
        ({"middle": "tanh"}, r"`conv2d_?\d*` .* differs from the recipe's `conv1`: its activation is tanh"),
        ({"last": "relu"}, r"its activation is relu, expected is softmax or linear or sigmoid"),
    ],
)
def test_what_does_not_fit_is_told_by_its_layer(made: dict[str, object], said: str, tmp_path: Path) -> None:
    cnn6(**made).save(tmp_path / "other.h5")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=said):
        moved(tmp_path / "other.h5", "cnn6")


def test_too_few_and_too_many_layers_are_told(theirs: keras.Model, tmp_path: Path) -> None:
    theirs.save_weights(tmp_path / "six.weights.h5")
    with pytest.raises(ModelError, match="has no layer for the recipe's"):
        moved(tmp_path / "six.weights.h5", "compact_cnn")
    longer = keras.Sequential([keras.Input((300, 300, 3)), *theirs.layers[:-1], keras.layers.Dense(8), keras.layers.Dense(2)])
    longer.save(tmp_path / "seven.h5")
    with pytest.raises(ModelError, match=r"layer that the recipe does not have: `dense_\d+` \(8x2, 2\)"):
        moved(tmp_path / "seven.h5", "cnn6")


def test_a_base_of_other_names_is_not_taken_by_its_order(tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input((224, 224, 3)), keras.layers.Conv2D(64, 3, name="mine"), keras.layers.Flatten()])
    network.add(keras.layers.Dense(2))
    network.save(tmp_path / "mine.h5")
    with pytest.raises(ModelError, match=r"has no layer for the recipe's `block1_conv1` \(3x3x3x64, 64\)"):
        moved(tmp_path / "mine.h5", "flask_vgg16")


def test_a_network_without_a_dense_end_is_refused(tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3), keras.layers.GlobalAveragePooling2D()])
    network.save(tmp_path / "none.h5")
    with pytest.raises(ModelError, match="dense"):
        count_outputs(read(tmp_path / "none.h5", MOST))


def test_nothing_is_put_in_where_one_layer_does_not_fit(tmp_path: Path) -> None:
    cnn6(outputs=3).save(tmp_path / "three.h5")
    network = build("cnn6", 2)
    before = network.get_weights()
    with pytest.raises(ModelError):
        transplant(read(tmp_path / "three.h5", MOST), network)
    assert all(np.array_equal(first, other) for first, other in zip(before, network.get_weights(), strict=True))
