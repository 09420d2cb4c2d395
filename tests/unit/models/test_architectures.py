"""Each architecture takes gray pictures and gives finite logits; batch normalisation follows within some hundred steps."""

import numpy as np
import pytest

from lungline.errors import ModelError
from models.architectures import ARCHITECTURES, build, count_parameters
from models.backend import keras

SIZES = [
    ("mobilenetv2", 224, 2.3e6),
    ("mobilenetv2_128", 128, 2.3e6),
    ("compact_cnn", 128, 5.1e5),
    ("small_cnn", 96, 1.1e5),
    ("cnn6", 300, 3e4),
    ("vgg16_pyimage", 224, 1.5e7),
    ("vgg19_clahe", 224, 2.1e7),
    ("resnet50_cap", 512, 5e7),
    ("resnet50_mid", 224, 3.2e6),
]

# Those without batch normalisation.
PLAIN = {"flask_vgg16", "vgg16_pyimage", "vgg19_clahe"}


@pytest.mark.parametrize(("name", "side", "most"), SIZES)
def test_shapes_and_size(name: str, side: int, most: float) -> None:
    network = build(name, 3)
    assert network.input_shape == (None, side, side, 1)
    assert network.output_shape == (None, 3)
    assert most / 2 < network.count_params() < most
    logits = np.asarray(network(np.random.default_rng(0).random((2, side, side, 1), np.float32)))
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("name", sorted(ARCHITECTURES.keys() - PLAIN))
def test_batch_normalisation_follows_quickly(name: str) -> None:
    network = build(name, 2)
    layers = [*network.layers, *(inner for layer in network.layers if isinstance(layer, keras.Model) for inner in layer.layers)]
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert norms
    assert all(layer.momentum == 0.9 for layer in norms)


def test_the_base_can_be_filled() -> None:
    asked: list[keras.Model] = []
    filled = build("mobilenetv2", 2, asked.append)
    assert asked[0].input_shape == (None, 224, 224, 3)
    random = build("mobilenetv2", 2)
    random.set_weights(filled.get_weights())
    pictures = np.random.default_rng(0).random((2, 224, 224, 1), np.float32)
    np.testing.assert_allclose(np.asarray(random(pictures)), np.asarray(filled(pictures)), atol=1e-5)


def test_lung_ct_network_has_the_published_parameter_counts() -> None:
    """From the article's `model.summary()`."""
    network = build("resnet50_cap", 3)
    assert count_parameters(network) == {"parameters": 49_722_627, "trainable": 40_909_315, "non_trainable": 8_813_312}
    assert {weight.path[:5] for weight in network.trainable_weights if weight.path.startswith("conv")} == {"conv5"}


def test_unknown_architecture_is_told() -> None:
    with pytest.raises(ModelError, match="mobilenetv2"):
        build("resnet9000", 2)
