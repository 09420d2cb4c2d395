"""Whole slices are cut to the lungs; what is cut already, or shows none, stays whole."""

import cv2
import numpy as np
import pytest

from models.lungs import crop_to_lungs


def slice_of(*, scale: float, body: float = 0.8, lung: float = 0.15, outside: float = 0.0) -> np.ndarray:
    """An ellipse of a body with two lungs, drawn on 256x256; `scale` is the body's width as a share."""
    pixels = np.full((256, 256), outside, np.float32)
    half = 128 * scale
    cv2.ellipse(pixels, (128, 128), (int(half), int(half * 0.75)), 0, 0, 360, body, -1)
    for side in (-1, 1):
        cv2.ellipse(pixels, (int(128 + side * half * 0.45), 128), (int(half * 0.32), int(half * 0.5)), 0, 0, 360, lung, -1)
    return pixels


@pytest.mark.parametrize("window", [{}, {"body": 0.5, "lung": 0.05}, {"body": 1.0, "lung": 0.4}])
def test_a_whole_slice_is_cut_to_its_lungs(window: dict[str, float]) -> None:
    pixels = slice_of(scale=0.9, **window)
    cut = crop_to_lungs(pixels)
    rows, columns = np.flatnonzero((pixels == window.get("lung", np.float32(0.15))).any(axis=1)), cut.shape
    half = 128 * 0.9
    assert columns[1] == pytest.approx(2 * half * 0.77 + 2 * 0.04 * 256, abs=6)
    assert columns[0] == pytest.approx(2 * half * 0.5 + 2 * 0.04 * 256, abs=6)
    assert len(rows) == 0 or cut.shape[0] >= len(rows)  # no lung is lost


def test_lungs_that_reach_the_edge_stay_whole() -> None:
    pixels = slice_of(scale=0.9)[:, 60:140]
    assert crop_to_lungs(pixels).shape == pixels.shape


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (40, 30), (512, 512)])
def test_what_is_no_slice_stays_whole(shape: tuple[int, int]) -> None:
    flat = np.full(shape, 0.5, np.float32)
    assert crop_to_lungs(flat).shape == shape
    noise = np.random.default_rng(0).random(shape, np.float32)
    assert crop_to_lungs(noise).size > 0


def test_one_lung_alone_is_not_taken_for_two() -> None:
    pixels = slice_of(scale=0.9)
    pixels[:, 128:] = 0.8
    assert crop_to_lungs(pixels).shape == pixels.shape
