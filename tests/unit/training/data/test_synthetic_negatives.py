"""Strangers that are drawn or made of others: gray, in range, never twice the same, and from the generator alone."""

import numpy as np

from training.data.synthetic_negatives import drawn, guises, tiny_part

PICTURE = np.random.default_rng(0).random((120, 90), np.float32)


def test_drawings_are_gray_in_range_and_differ() -> None:
    made = drawn(60, np.random.default_rng(4))
    assert len(made) == 60
    for picture in made:
        assert picture.dtype == np.float32
        assert picture.ndim == 2
        assert picture.min() >= 0
        assert picture.max() <= 1
    assert len({picture.tobytes() for picture in made}) == 60
    repeated = drawn(60, np.random.default_rng(4))
    assert all(np.array_equal(first, other) for first, other in zip(made, repeated, strict=True))


def test_guises_are_parts_turned_or_negative() -> None:
    made = guises(PICTURE, 20, np.random.default_rng(0))
    assert len(made) == 20
    assert all(min(created.shape) >= 45 and max(created.shape) <= 120 for created in made)
    values = set(PICTURE.ravel().tolist())
    negative = [not set(created.ravel()[:50].tolist()) <= values for created in made]
    assert 0 < sum(negative) < 20


def test_a_tiny_part_is_tiny() -> None:
    part = tiny_part(PICTURE, np.random.default_rng(0))
    assert part.size <= 0.2**2 * PICTURE.size * 1.1
    assert set(part.ravel().tolist()) <= set(PICTURE.ravel().tolist())
