"""Slices are framed by their lungs, however they were cut and windowed."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from models.lungs import find_lungs
from models.preprocess import prepare

Pixels = npt.NDArray[np.float32]


def slice_of(body: float, *, window: float = 1.0) -> Pixels:
    """A bright ellipse with two dark lungs, the body `body` times as wide as the picture, on dark air with a table below."""
    pixels = np.full((240, 240), 0.05, np.float32)
    half = 120 * body
    cv2.ellipse(pixels, (120, 120), (int(half), int(0.75 * half)), 0, 0, 360, 0.9, -1)
    for side in (-1, 1):
        cv2.ellipse(pixels, (int(120 + side * 0.45 * half), 120), (int(0.3 * half), int(0.5 * half)), 0, 0, 360, 0.2, -1)
    cv2.line(pixels, (40, 236), (200, 236), 0.6, 2)
    return pixels * np.float32(window)


@pytest.mark.parametrize("window", [1.0, 0.5])
@pytest.mark.parametrize("body", [0.6, 0.8, 0.95])
def test_the_box_is_around_the_lungs(body: float, window: float) -> None:
    top, bottom, left, right = find_lungs(slice_of(body, window=window)).box
    half = 120 * body
    assert left == pytest.approx(120 - 0.75 * half, abs=9)
    assert right == pytest.approx(120 + 0.75 * half, abs=9)
    assert top == pytest.approx(120 - 0.5 * half, abs=9)
    assert bottom == pytest.approx(120 + 0.5 * half, abs=9)


def test_a_slice_cut_tight_to_the_lungs_stays_nearly_whole() -> None:
    top, bottom, left, right = find_lungs(slice_of(0.9)).box
    tight = slice_of(0.9)[top:bottom, left:right]
    repeated = find_lungs(tight).box
    assert (repeated[1] - repeated[0]) * (repeated[3] - repeated[2]) > 0.8 * tight.size


def test_framing_is_gone_after_preprocessing() -> None:
    near, far = (prepare("lung-128", slice_of(body)) for body in (0.95, 0.6))
    assert np.abs(near - far).mean() < 0.06
    near, far = (prepare("gray-128", slice_of(body)) for body in (0.95, 0.6))
    assert np.abs(near - far).mean() > 0.2


def test_frames_the_body_without_lungs_and_all_without_a_body() -> None:
    pixels = np.zeros((200, 200), np.float32)
    cv2.circle(pixels, (100, 100), 60, 0.8, -1)
    top, bottom, left, right = find_lungs(pixels).box
    assert (top, left) == pytest.approx((40, 40), abs=4)
    assert (bottom, right) == pytest.approx((161, 161), abs=4)
    assert find_lungs(np.zeros((50, 70), np.float32)).box == (0, 50, 0, 70)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 2), (7, 5)])
def test_a_box_is_never_empty(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for pixels in (rng.random(shape, np.float32), np.zeros(shape, np.float32), np.ones(shape, np.float32)):
        top, bottom, left, right = find_lungs(pixels).box
        assert 0 <= top < bottom <= shape[0]
        assert 0 <= left < right <= shape[1]


def test_random_pictures_are_never_too_much() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        cells = rng.integers(2, 40, 2)
        pixels = cv2.resize(rng.random(cells, np.float32), tuple(rng.integers(8, 300, 2).tolist()), interpolation=cv2.INTER_CUBIC).clip(
            0, 1
        )
        top, bottom, left, right = find_lungs(pixels).box
        assert top < bottom
        assert left < right
