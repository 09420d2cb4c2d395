"""Random changes stay within bounds, come from the generator alone, and leave their input alone."""

import numpy as np
import pytest

from training import recipes
from training.fitting.augment import augment
from training.recipes import Augment

PICTURES = np.random.default_rng(0).random((6, 96, 96, 1), np.float32)


@pytest.mark.parametrize("name", recipes.names())
def test_shape_range_and_chance(name: str) -> None:
    how = recipes.load(name).augment
    before = PICTURES.copy()
    first, repeated, other = (augment(PICTURES, how, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == PICTURES.shape
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1
    np.testing.assert_array_equal(first, repeated)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(PICTURES, before)


def test_nothing_asked_nothing_changed() -> None:
    np.testing.assert_allclose(augment(PICTURES, Augment(), np.random.default_rng(0)), PICTURES, atol=1e-6)


def test_flip_and_negative() -> None:
    np.testing.assert_allclose(augment(PICTURES, Augment(flip=1.0), np.random.default_rng(0)), PICTURES[:, :, ::-1], atol=1e-5)
    np.testing.assert_allclose(augment(PICTURES, Augment(invert=1.0), np.random.default_rng(0)), 1 - PICTURES, atol=1e-6)


def test_a_shrunk_picture_has_any_gray_around_it() -> None:
    corners = [float(augment(PICTURES[:1], Augment(shrink=0.5), np.random.default_rng(seed))[0, 0, 0, 0]) for seed in range(20)]
    assert np.std(corners) > 0.1


def test_stretching_changes_the_width_alone() -> None:
    bars = np.zeros((1, 96, 96, 1), np.float32)
    bars[:, 32:64, 32:64] = 1
    seen = {augment(bars, Augment(stretch=1.0), np.random.default_rng(seed))[0, :, :, 0].sum(axis=1).max() for seed in range(10)}
    rows = {int((augment(bars, Augment(stretch=1.0), np.random.default_rng(seed))[0, :, 48, 0] > 0.5).sum()) for seed in range(10)}
    assert max(seen) > 1.5 * min(seen)
    assert rows == {32}


def test_standing_on_its_head() -> None:
    np.testing.assert_allclose(augment(PICTURES, Augment(upend=1.0), np.random.default_rng(0)), PICTURES[:, ::-1], atol=1e-5)


def test_shearing_slants_what_stands_upright() -> None:
    bar = np.zeros((1, 96, 96, 1), np.float32)
    bar[:, :, 44:52] = 1
    slanted = augment(bar, Augment(shear=30.0), np.random.default_rng(4))[0, :, :, 0]
    middles = [float(np.average(np.arange(96), weights=slanted[row])) for row in (12, 48, 84)]
    assert middles[1] == pytest.approx(47.5, abs=1)  # around the centre
    assert abs(middles[0] - middles[2]) > 5
    assert middles[0] + middles[2] == pytest.approx(2 * 47.5, abs=2)


def test_the_border_goes_on_where_the_nearest_pixel_fills() -> None:
    gray = np.full((1, 96, 96, 1), 0.6, np.float32)
    moved = [augment(gray, Augment(shift=0.4, fill=fill), np.random.default_rng(0)) for fill in ("nearest", "black")]
    np.testing.assert_allclose(moved[0], gray, atol=1e-6)
    assert moved[1].min() == 0


@pytest.mark.parametrize("how", [Augment(rotate=30.0, rotated=0.5), Augment(zoom=0.3, zoomed=0.5)])
def test_a_probability_leaves_some_pictures_as_they_are(how: Augment) -> None:
    changed = [not np.allclose(augment(PICTURES[:1], how, np.random.default_rng(seed)), PICTURES[:1], atol=1e-5) for seed in range(40)]
    assert 8 < sum(changed) < 32
