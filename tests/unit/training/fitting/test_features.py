"""What a frozen base makes of pictures is computed once, kept within bounds, and trains the same network, killed or not."""

import dataclasses
import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest

from lungline.errors import TrainingError
from models.architectures import build
from models.backend import keras
from models.preprocess import Pixels
from models.runtimes.keras import KerasRuntime
from training import recipes
from training.data.examples import Labelled
from training.fitting import features
from training.fitting.checkpoint import Checkpoint
from training.fitting.features import Shelf, split
from training.fitting.learner import HeadLearner, Learner, learner
from training.fitting.loop import Fitted, fit, freeze
from training.recipes import Augment

PICTURES = np.random.default_rng(0).random((5, 128, 128, 1), np.float32)
TURNED = Augment(rotate=20.0, flip=0.5)

# MobileNetV2, of which all but the last convolution stays as it is, on two views of each picture.
RECIPE = dataclasses.replace(
    recipes.load("xray-mobilenetv2"),
    name="xray-kept",
    architecture="mobilenetv2_128",
    preprocess="gray-128",
    tuned_from="Conv_1",
    batch=9,
    epochs=2,
    views=2,
    augment=TURNED,
)


def lively(base: keras.Model) -> None:
    """Random weights let signals die away from layer to layer; a larger scale after each keeps them."""
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(layer.gamma * 4)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    made = build("mobilenetv2_128", 3, lively)
    freeze(made, RECIPE)
    return made


@pytest.fixture(scope="module")
def trunk(network: keras.Model) -> keras.Model:
    parts = split(network)
    assert parts
    return parts[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "features").mkdir()
    return tmp_path / "features"


@pytest.mark.parametrize("frozen", ["all but the last layers", "the whole base"])
def test_both_parts_together_are_the_network(frozen: str) -> None:
    network = build("mobilenetv2_128", 3, lively)
    if frozen == "the whole base":
        network.layers[3].trainable = False
    else:
        freeze(network, RECIPE)
    parts = split(network)
    assert parts
    trunk, head = parts
    assert not trunk.trainable_weights
    assert {weight.path for weight in head.trainable_weights} == {weight.path for weight in network.trainable_weights}
    expected = KerasRuntime(network).run(PICTURES)
    np.testing.assert_allclose(KerasRuntime(head).run(KerasRuntime(trunk).run(PICTURES)), expected, atol=1e-4)
    head.trainable_weights[-1].assign([1.0, 2.0, 3.0])  # the last bias, of both
    np.testing.assert_allclose(KerasRuntime(network).run(PICTURES) - expected, np.tile([1.0, 2.0, 3.0], (5, 1)), atol=1e-4)


def test_a_network_of_which_all_is_trained_is_not_split() -> None:
    assert split(build("small_cnn", 3)) is None
    assert split(build("mobilenetv2_128", 3)) is None


def test_views_are_made_once_and_told_apart(network: keras.Model, trunk: keras.Model, folder: Path) -> None:
    shelf = Shelf(folder)
    views = _views(shelf, trunk, PICTURES, TURNED)
    assert views.shape[:2] == (5, 2)
    assert views.dtype == np.float16
    assert not np.array_equal(views[:, 0], views[:, 1])
    (kept,) = folder.iterdir()
    before = kept.stat().st_ino
    np.testing.assert_array_equal(_views(shelf, trunk, PICTURES, TURNED), views)
    assert kept.stat().st_ino == before  # read, not made again
    repeated = build("mobilenetv2_128", 3, lively)  # a network that is built anew is the same one
    repeated.set_weights(network.get_weights())
    freeze(repeated, RECIPE)
    parts = split(repeated)
    assert parts
    np.testing.assert_array_equal(_views(shelf, parts[0], PICTURES, TURNED), views)
    assert list(folder.iterdir()) == [kept]
    np.testing.assert_array_equal(_views(Shelf(None), trunk, PICTURES, TURNED), views)
    others = [(PICTURES[:4], TURNED), (1 - PICTURES, TURNED), (PICTURES, dataclasses.replace(TURNED, rotate=10.0)), (PICTURES, None)]
    for number, (pictures, how) in enumerate(others, start=2):
        _views(shelf, trunk, pictures, how)
        assert len(list(folder.iterdir())) == number


@pytest.mark.parametrize("left", [1000, 0])
def test_what_is_damaged_is_made_again(left: int, trunk: keras.Model, folder: Path) -> None:
    expected = np.array(_views(Shelf(folder), trunk, PICTURES, TURNED))
    (kept,) = folder.iterdir()
    kept.write_bytes(kept.read_bytes()[:left])
    np.testing.assert_array_equal(_views(Shelf(folder), trunk, PICTURES, TURNED), expected)


def test_all_of_the_room_is_taken_before_it_is_filled(trunk: keras.Model, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that is full a mapped file kills the process; a write that fails can be told."""
    taken: list[tuple[int, int]] = []

    class Full(KerasRuntime):
        def run(self, batch: Pixels) -> Pixels:
            (part,) = folder.iterdir()
            taken.append((part.stat().st_blocks * 512, part.stat().st_size))
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(features, "KerasRuntime", Full)
    with pytest.raises(TrainingError, match="free some space"):
        _views(Shelf(folder), trunk, PICTURES, TURNED)
    assert taken[0][0] >= taken[0][1] > 0
    assert not list(folder.iterdir())


def test_features_removed_by_another_training_do_no_harm(trunk: keras.Model, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "gone.npy").write_bytes(b"old")
    stat = Path.stat

    def vanish(path: Path, **how: bool) -> os.stat_result:
        if path.name == "gone.npy":
            path.unlink(missing_ok=True)
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", vanish)
    assert len(_views(Shelf(folder), trunk, PICTURES, TURNED)) == len(PICTURES)


def test_other_code_makes_them_anew(trunk: keras.Model, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _views(Shelf(folder), trunk, PICTURES, TURNED)
    monkeypatch.setattr(features, "code_version", lambda: "other code")
    _views(Shelf(folder), trunk, PICTURES, TURNED)
    assert len(list(folder.iterdir())) == 2


def test_features_used_longest_ago_go(trunk: keras.Model, folder: Path) -> None:
    size = _views(Shelf(folder), trunk, PICTURES, TURNED).nbytes
    (first,) = folder.glob("*.npy")
    os.utime(first, (time.time() - 60, time.time() - 60))
    _views(Shelf(folder, most_bytes=size + size // 2), trunk, 1 - PICTURES, TURNED)
    (second,) = folder.glob("*.npy")
    assert second != first


def test_too_much_is_not_kept_and_the_whole_network_is_run(network: keras.Model, tmp_path: Path) -> None:
    assert isinstance(learner(RECIPE, network, PICTURES, PICTURES, Shelf(tmp_path)), HeadLearner)
    whole = learner(RECIPE, network, PICTURES, PICTURES, Shelf(tmp_path, most_of_one=1000))
    assert isinstance(whole, Learner)
    assert whole.network is network


def test_resumed_training_on_features_gives_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint holds what comes after the frozen part; the rest is made anew."""
    pictures = np.random.default_rng(1).random((9, 128, 128, 1), np.float32)
    names = np.array(["covid19", "pneumonia", "normal"] * 3)
    train_set = Labelled(pictures, names, np.arange(9) % 3, names, names, kept=tmp_path / "features")

    def train(name: str) -> Fitted:
        checkpoint = Checkpoint(tmp_path / f"{name}.npz", "key")
        return fit(RECIPE, train_set, train_set, seed=3, epochs=2, load_base=lively, checkpoint=checkpoint)

    class KilledShelf(BaseException):
        pass

    def killed(text: str) -> None:
        if "epoch 2 of" in text:
            raise KilledShelf

    undisturbed = train("undisturbed")
    assert [epoch.epoch for epoch in undisturbed.curve] == [1, 2]
    with monkeypatch.context() as patch:
        patch.setattr("training.fitting.loop.say", killed)
        with pytest.raises(KilledShelf):
            train("killed")
    said: list[str] = []
    monkeypatch.setattr("training.fitting.loop.say", said.append)
    repeated = train("killed")
    assert "goes on after epoch 1" in said[0]
    assert "left" in said[1]
    assert [epoch.loss for epoch in repeated.curve] == [epoch.loss for epoch in undisturbed.curve]
    for mine, its in zip(repeated.network.get_weights(), undisturbed.network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def _views(shelf: Shelf, trunk: keras.Model, pictures: Pixels, how: Augment | None) -> features.Features:
    found = shelf.views("test", trunk, pictures, how, 2)
    assert found is not None
    return found
