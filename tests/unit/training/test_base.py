"""Where ImageNet weights come from, and what is said when they cannot be had."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest

from lungline.errors import TrainingError
from models.architectures import build
from models.architectures.mobilenetv2 import IMAGENET_MEAN, IMAGENET_VARIANCE
from models.backend import keras
from training import recipes
from training.base import loader
from training.fit import _freeze


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LUNGLINE_WEIGHTS_DIR with a made file for MobileNetV2."""
    path = tmp_path_factory.mktemp("weights")
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(224, 224, 3), pooling="avg")
    base.save_weights(path / "mobilenetv2_notop.weights.h5")
    return path


def test_a_local_file_is_taken_and_named_by_its_hash(folder: Path) -> None:
    fill, told = loader("mobilenetv2", "imagenet", folder)
    assert hashlib.sha256((folder / "mobilenetv2_notop.weights.h5").read_bytes()).hexdigest() in told
    one, other = build("mobilenetv2", 2, fill), build("mobilenetv2", 2, fill)
    kernels = [network.get_layer("mobilenetv2_1.00_224").get_weights()[0] for network in (one, other)]
    np.testing.assert_array_equal(*kernels)


def test_a_file_that_does_not_fit_is_told(tmp_path: Path) -> None:
    (tmp_path / "mobilenetv2_notop.weights.h5").write_bytes(b"no weights")
    fill, _ = loader("mobilenetv2", "imagenet", tmp_path)
    with pytest.raises(TrainingError, match="LUNGLINE_WEIGHTS_DIR"):
        build("mobilenetv2", 2, fill)


def test_no_weights_to_be_had_names_both_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("keras.applications.MobileNetV2", _offline(keras.applications.MobileNetV2, unreachable))
    fill, _ = loader("mobilenetv2", "imagenet", tmp_path)
    with pytest.raises(TrainingError, match=r"LUNGLINE_WEIGHTS_DIR.*--weights none"):
        build("mobilenetv2", 2, fill)


def _offline(real: object, unreachable: object) -> object:
    def application(*args: object, weights: str | None, **rest: object) -> object:
        return (unreachable if weights == "imagenet" else real)(*args, weights=weights, **rest)  # type: ignore[operator]

    return application


def test_none_and_networks_without_public_weights_start_at_random(folder: Path) -> None:
    assert loader("mobilenetv2", "none", folder) == (None, "none")
    assert loader("small_cnn", "imagenet", folder) == (None, "none")
    assert loader("compact_cnn", "imagenet", folder) == (None, "none")
    with pytest.raises(TrainingError, match="--weights"):
        loader("mobilenetv2", "chexpert", folder)


def test_a_downloaded_base_is_made_to_expect_what_a_local_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras' own weights expect [-1, 1]; after the download the same network answers alike to ImageNet's statistics."""
    public = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(128, 128, 3), pooling="avg")
    monkeypatch.setattr("keras.applications.MobileNetV2", lambda **_: public)
    fill, _ = loader("mobilenetv2_128", "imagenet", None)
    base = keras.models.clone_model(public)
    assert fill
    fill(base)
    pictures = np.random.default_rng(0).random((3, 128, 128, 3), np.float32)
    by_statistics = (pictures - np.array(IMAGENET_MEAN)) / np.sqrt(np.array(IMAGENET_VARIANCE))
    inner = [keras.Model(one.input, one.get_layer("bn_Conv1").output) for one in (public, base)]
    expected, found = (np.asarray(one(given)) for one, given in zip(inner, (pictures * 2 - 1, by_statistics), strict=True))
    np.testing.assert_allclose(found[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-4)


def test_what_a_recipe_freezes_stays_as_it_was(folder: Path) -> None:
    fill, _ = loader("mobilenetv2", "imagenet", folder)
    network = build("mobilenetv2", 2, fill)
    _freeze(network, dataclasses.replace(recipes.load("xray-mobilenetv2"), frozen_norms=True))
    trained = {weight.path for weight in network.trainable_weights}
    assert any("block_4_expand/" in path for path in trained)
    assert not any("block_3_" in path or "bn" in path.lower() for path in trained)
    network = build("mobilenetv2", 2, fill)
    _freeze(network, recipes.load("xray-mobilenetv2"))
    trained = {weight.path for weight in network.trainable_weights}
    assert not any("block_3_" in path for path in trained)
    assert any("block_4_expand_bn" in path.lower() for path in trained)
