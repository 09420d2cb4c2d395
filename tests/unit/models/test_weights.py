"""Weights in half precision: the same bytes each time, and nearly the same answers."""

from pathlib import Path

import numpy as np
import pytest

from models.architectures import build
from models.weights import load, save_half


@pytest.mark.parametrize("name", ["small_cnn", "flask_xception"])  # Keras makes up the names of Xception's layers
def test_same_weights_same_bytes_half_the_size(name: str, tmp_path: Path) -> None:
    network = build(name, 3)
    save_half(network, tmp_path / "a.weights.h5")
    repeated = build(name, 3)
    repeated.set_weights(network.get_weights())
    save_half(repeated, tmp_path / "b.weights.h5")
    assert (tmp_path / "a.weights.h5").read_bytes() == (tmp_path / "b.weights.h5").read_bytes()
    network.save_weights(tmp_path / "full.weights.h5")
    assert (tmp_path / "a.weights.h5").stat().st_size < 0.7 * (tmp_path / "full.weights.h5").stat().st_size


@pytest.mark.parametrize("name", ["small_cnn", "mobilenetv2"])
def test_loads_as_single_precision_with_the_same_answers(name: str, tmp_path: Path) -> None:
    network = build(name, 3)
    save_half(network, tmp_path / "half.weights.h5")
    loaded = build(name, 3)
    load(loaded, tmp_path / "half.weights.h5")
    assert all(weight.dtype == np.float32 for weight in loaded.get_weights())
    pictures = np.random.default_rng(0).random((2, *network.input_shape[1:]), np.float32)
    np.testing.assert_allclose(np.asarray(loaded(pictures)), np.asarray(network(pictures)), atol=5e-3)


def test_a_tensor_too_large_for_half_precision_stays_whole(tmp_path: Path) -> None:
    network = build("small_cnn", 3)
    network.set_weights([weight + 1e6 for weight in network.get_weights()])
    save_half(network, tmp_path / "half.weights.h5")
    loaded = build("small_cnn", 3)
    load(loaded, tmp_path / "half.weights.h5")
    for found, expected in zip(loaded.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_weight_that_is_no_number_is_refused(tmp_path: Path) -> None:
    network = build("small_cnn", 3)
    network.set_weights([weight * np.float32("nan") for weight in network.get_weights()])
    with pytest.raises(ValueError, match="not a number"):
        save_half(network, tmp_path / "half.weights.h5")
