"""Grad-CAM: it follows the weights, and points to what decides."""

import dataclasses

import cv2
import numpy as np
import pytest

from imaging.phantoms import picture
from lungline.errors import ModelError
from lungline.findings import Modality
from models.architectures import build
from models.backend import keras
from models.explain import Explainer, output_for, overlay, side_by_side
from models.preprocess import prepare
from models.registry import shipped
from models.runtimes.keras import KerasRuntime, load_network

RNG = np.random.default_rng(11)


def base_in_network(*, pooled: bool) -> keras.Model:
    """A network on a base that is a network itself, with statistics of its own, behind a layer that resizes, as published ones are."""
    colour = keras.Input((24, 24, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, name="conv")(colour)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.ReLU(name="relu")(x)
    base = keras.Model(colour, keras.layers.GlobalAveragePooling2D()(x) if pooled else x, name="base")
    norm = base.get_layer("norm")
    norm.set_weights([RNG.uniform(0.5, 2, 8), RNG.normal(size=8), RNG.normal(size=8), RNG.uniform(0.5, 2, 8)])
    gray = keras.Input((48, 48, 1))
    small = keras.layers.Resizing(24, 24)(gray)
    x = keras.layers.Flatten()(base(keras.layers.Concatenate()([small, small, small])))
    return keras.Model(gray, keras.layers.Dense(3)(keras.layers.Dropout(0.5)(x)))


@pytest.mark.parametrize("name", ["pooled", "flat", "small_cnn", "compact_cnn", "mobilenetv2_128"])
def test_the_parts_of_a_network_answer_as_the_whole(name: str) -> None:
    network = build(name, 3) if name not in ("pooled", "flat") else base_in_network(pooled=name == "pooled")
    pictures = RNG.random((2, *network.input_shape[1:]), np.float32)
    explainer = Explainer(network)
    answered = explainer._after(explainer._before(keras.ops.convert_to_tensor(pictures)))
    np.testing.assert_allclose(np.asarray(answered), KerasRuntime(network).run(pictures), atol=1e-5)
    maps = explainer.maps(pictures, np.array([0, 2]))
    assert maps.shape == pictures.shape[:3]
    assert maps.dtype == np.float32
    assert 0 <= maps.min() <= maps.max() <= 1


def test_a_network_without_places_is_told() -> None:
    flat = keras.Input((8, 8, 1))
    network = keras.Model(flat, keras.layers.Dense(2)(keras.layers.Flatten()(flat)))
    with pytest.raises(ModelError, match="layer with places"):
        Explainer(network)


def test_a_head_that_lacks_the_finding_is_told() -> None:
    there = shipped()[Modality.XRAY].places[0].member
    member = dataclasses.replace(there, record=there.record.model_copy(update={"outputs": ("covid19", "normal")}))
    with pytest.raises(ModelError, match="does not know pneumonia, only covid19, normal: name another with `--member`"):
        output_for(member, "pneumonia", np.zeros(2, np.float32))


def test_randomised_weights_change_the_map() -> None:
    """The check of Adebayo et al., "Sanity Checks for Saliency Maps" (NeurIPS 2018), https://arxiv.org/abs/1810.03292."""
    member = min((place.member for place in shipped()[Modality.XRAY].places), key=lambda member: member.record.parameters or 0)
    network = load_network(member)
    films = [prepare(member.preprocess, picture("xray", seed, 256).astype(np.float32) / np.float32(255)) for seed in range(6)]
    pictures = np.stack(films)
    asked = np.array([output_for(member, "covid19", value) for value in KerasRuntime(network).run(pictures)], np.intp)
    maps = Explainer(network).maps(pictures, asked)
    np.testing.assert_array_equal(Explainer(network).maps(pictures, asked), maps)
    keras.utils.set_random_seed(3)
    others = Explainer(build(member.architecture, len(member.outputs))).maps(pictures, asked)
    alike = [_correlation(first, other) for first, other in zip(maps, others, strict=True)]
    assert maps.max(axis=(1, 2)).min() > 0
    assert np.mean(alike) < 0.5


def test_the_map_lights_up_where_a_planted_pattern_decides() -> None:
    keras.utils.set_random_seed(1)
    shown, places = _planted(240)
    inside = keras.Input((32, 32, 1))
    x = inside
    for width in (8, 16):
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D(2)(x)
    network = keras.Model(inside, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    wanted = np.array([place is None for place in places], np.intp)
    network.optimizer.learning_rate = 0.01
    network.fit(shown, wanted, epochs=12, batch_size=16, verbose=0)
    asked, known = _planted(40)
    said = KerasRuntime(network).run(asked).argmax(axis=1)
    rows = [row for row, place in enumerate(known) if place is not None and said[row] == 0]
    assert len(rows) >= 15
    maps = Explainer(network).maps(asked[rows], np.zeros(len(rows), np.intp))
    hits = 0
    for heat, row in zip(maps, rows, strict=True):
        top, left = known[row] or (0, 0)
        y, x = np.unravel_index(heat.argmax(), heat.shape)
        hits += top - 3 <= y <= top + 8 and left - 3 <= x <= left + 8
    assert hits / len(rows) > 0.9  # by chance, 0.13


def test_overlays_keep_the_picture_where_nothing_speaks() -> None:
    gray = RNG.random((20, 20, 1), np.float32)
    heat = np.zeros((20, 20), np.float32)
    drawn = overlay(gray, heat)
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn[:, :, 0], (gray[:, :, 0] * 255).astype(np.uint8))
    heat[5:10, 5:10] = 1
    assert (overlay(gray, heat)[5:10, 5:10] != drawn[5:10, 5:10]).any(axis=2).all()
    both = cv2.imdecode(np.frombuffer(side_by_side(gray, heat, 64), np.uint8), cv2.IMREAD_COLOR)
    assert both is not None
    assert both.shape == (64, 136, 3)


def _planted(count: int) -> tuple[np.ndarray, list[tuple[int, int] | None]]:
    """Noise, half of it with a small checkerboard somewhere: of the same brightness, so that its pattern alone tells."""
    pictures = RNG.uniform(0.3, 0.7, (count, 32, 32, 1)).astype(np.float32)
    places: list[tuple[int, int] | None] = []
    for number in range(count):
        if number % 2:
            places.append(None)
            continue
        top, left = (int(value) for value in RNG.integers(2, 24, 2))
        pictures[number, top : top + 6, left : left + 6, 0] = np.indices((6, 6)).sum(axis=0) % 2
        places.append((top, left))
    return pictures, places


def _correlation(first: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), other.ravel())[0, 1]) if other.any() else 0.0
