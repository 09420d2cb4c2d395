"""Where ImageNet weights come from, and what is said when they cannot be had."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lungline.errors import TrainingError
from models.architectures import build
from models.architectures.mobilenetv2 import IMAGENET_MEAN, IMAGENET_VARIANCE
from models.backend import keras
from training import recipes
from training.fitting.base_weights import fingerprint, loader
from training.fitting.loop import freeze


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LUNGLINE_WEIGHTS_DIR with a made file for MobileNetV2."""
    path = tmp_path_factory.mktemp("weights")
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(224, 224, 3), pooling="avg")
    base.save_weights(path / "mobilenetv2_notop.weights.h5")
    return path


def test_local_file_is_used_and_named_by_its_tensor_hash(folder: Path) -> None:
    fill, answer = loader("mobilenetv2", "imagenet", folder)
    made = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(224, 224, 3))
    made.load_weights(folder / "mobilenetv2_notop.weights.h5")
    assert fingerprint(made.get_weights()) in answer
    first, other = build("mobilenetv2", 2, fill), build("mobilenetv2", 2, fill)
    kernels = [network.get_layer("mobilenetv2_1.00_224").get_weights()[0] for network in (first, other)]
    np.testing.assert_array_equal(*kernels)


# Those that nobody has at hand here: made with random numbers.
@pytest.mark.parametrize(
    ("architecture", "stem", "application"), [("vgg19_clahe", "vgg19", "VGG19"), ("flask_inceptionv3", "inceptionv3", "InceptionV3")]
)
def test_public_base_loads_and_one_changed_number_renames_it(
    architecture: str, stem: str, application: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = getattr(keras.applications, application)(include_top=False, weights=None, input_shape=(224, 224, 3))
    base.save_weights(tmp_path / f"{stem}_notop.weights.h5")
    fill, answer = loader(architecture, "imagenet", tmp_path)
    assert f"{stem}_notop.weights.h5" in answer
    assert "given RGB in [0, 1]" in answer
    assert "not a file that Lungline knows" in capsys.readouterr().err
    network = build(architecture, 3, fill)
    (inner,) = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    for mine, its in zip(inner.get_weights(), base.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    kernel = base.trainable_weights[0]
    kernel.assign(kernel + 0.001)
    base.save_weights(tmp_path / f"{stem}_notop.weights.h5")
    assert loader(architecture, "imagenet", tmp_path)[1] != answer


def _damaged(folder: Path, damage: str) -> None:
    path = folder / "vgg19_notop.weights.h5"
    if damage == "no weights":
        path.write_bytes(b"no weights")
        return
    application = keras.applications.VGG16 if damage == "of another network" else keras.applications.VGG19
    base = application(include_top=False, weights=None, input_shape=(224, 224, 3))
    if damage == "no number":
        base.trainable_weights[0].assign(base.trainable_weights[0] * np.float32("nan"))
    base.save_weights(path)
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:-100_000])


@pytest.mark.parametrize("damage", ["no weights", "of another network", "no number", "cut short"])
def test_a_file_that_is_damaged_or_foreign_is_refused_by_name(damage: str, tmp_path: Path) -> None:
    _damaged(tmp_path, damage)
    with pytest.raises(TrainingError, match=r"vgg19_notop.weights.h5 in LUNGLINE_WEIGHTS_DIR"):
        loader("vgg19_clahe", "imagenet", tmp_path)


def test_no_weights_to_be_had_names_the_file_and_every_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("keras.applications.InceptionV3", _offline(keras.applications.InceptionV3, unreachable))
    with pytest.raises(TrainingError, match=r"`inceptionv3_notop.weights.h5` into LUNGLINE_WEIGHTS_DIR.*save_weights.*--weights none"):
        loader("flask_inceptionv3", "imagenet", tmp_path)


def _offline(real: object, unreachable: object) -> object:
    def application(*args: object, weights: str | None, **rest: object) -> object:
        return (unreachable if weights == "imagenet" else real)(*args, weights=weights, **rest)  # type: ignore[operator]

    return application


def test_networks_without_public_weights_start_at_random(folder: Path) -> None:
    assert loader("mobilenetv2", "none", folder) == (None, "none")
    assert loader("small_cnn", "imagenet", folder) == (None, "none")
    assert loader("compact_cnn", "imagenet", folder) == (None, "none")
    with pytest.raises(TrainingError, match="--weights"):
        loader("mobilenetv2", "chexpert", folder)


def test_downloaded_base_expects_the_input_of_a_local_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras' own weights expect [-1, 1]; after the download the same network answers alike to ImageNet's statistics."""
    public = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(128, 128, 3), pooling="avg")
    before = keras.models.clone_model(public)
    before.set_weights(public.get_weights())
    monkeypatch.setattr("keras.applications.MobileNetV2", lambda **_: public)
    fill, _ = loader("mobilenetv2_128", "imagenet", None)
    base = keras.models.clone_model(public)
    assert fill
    fill(base)
    pictures = np.random.default_rng(0).random((3, 128, 128, 3), np.float32)
    by_statistics = (pictures - np.array(IMAGENET_MEAN)) / np.sqrt(np.array(IMAGENET_VARIANCE))
    inner = [keras.Model(value.input, value.get_layer("bn_Conv1").output) for value in (before, base)]
    expected, found = (np.asarray(first(given)) for first, given in zip(inner, (pictures * 2 - 1, by_statistics), strict=True))
    np.testing.assert_allclose(found[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-4)


def test_what_a_recipe_freezes_stays_as_it_was(folder: Path) -> None:
    fill, _ = loader("mobilenetv2", "imagenet", folder)
    network = build("mobilenetv2", 2, fill)
    freeze(network, dataclasses.replace(recipes.load("xray-mobilenetv2"), frozen_norms=True))
    trained = {weight.path for weight in network.trainable_weights}
    assert any("block_4_expand/" in path for path in trained)
    assert not any("block_3_" in path or "bn" in path.lower() for path in trained)
    network = build("mobilenetv2", 2, fill)
    freeze(network, recipes.load("xray-mobilenetv2"))
    trained = {weight.path for weight in network.trainable_weights}
    assert not any("block_3_" in path for path in trained)
    assert any("block_4_expand_bn" in path.lower() for path in trained)
