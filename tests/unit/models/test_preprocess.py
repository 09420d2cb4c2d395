"""Pictures of any size become what networks take."""

import cv2
import numpy as np
import pytest

from models.preprocess import PREPROCESSES, prepare


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (224, 224), (320, 260), (2500, 2048)])
@pytest.mark.parametrize("name", PREPROCESSES)
def test_shape_dtype_and_range(name: str, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).random(shape, np.float32)
    prepared = prepare(name, pixels)
    side = PREPROCESSES[name]
    assert prepared.shape == (side, side, 1)
    assert prepared.dtype == np.float32
    assert prepared.min() >= 0
    assert prepared.max() <= 1


def test_picture_without_contrast_is_black() -> None:
    assert not prepare("gray-96", np.full((50, 40), 0.7, np.float32)).any()


def test_exposure_and_window_do_not_matter() -> None:
    pixels = np.random.default_rng(1).random((200, 200), np.float32)
    faint = np.float32(0.3) + np.float32(0.4) * pixels
    np.testing.assert_allclose(prepare("gray-224", faint), prepare("gray-224", pixels), atol=1e-5)


def test_an_original_looks_as_its_stored_copy() -> None:
    ramp = np.linspace(0, 1, 2000, dtype=np.float32)
    waves = 0.2 * np.sin(np.arange(2000) / 40)
    original = np.clip(np.outer(ramp, ramp) + waves, 0, 1).astype(np.float32)
    stored = (np.round(cv2.resize(original, (320, 320), interpolation=cv2.INTER_AREA) * 255) / 255).astype(np.float32)
    np.testing.assert_allclose(prepare("gray-224", original), prepare("gray-224", stored), atol=0.01)


def test_input_stays_untouched() -> None:
    pixels = np.random.default_rng(2).random((300, 300), np.float32)
    before = pixels.copy()
    prepare("gray-224", pixels)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("pixels", [np.zeros((0, 5), np.float32), np.zeros((4, 4, 3), np.float32)])
def test_what_is_no_gray_picture_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="two dimensions"):
        prepare("gray-224", pixels)
