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


@pytest.mark.parametrize("name", ["gray-96", "minmax-512"])
def test_picture_without_contrast_is_black(name: str) -> None:
    assert not prepare(name, np.full((50, 40), 0.7, np.float32)).any()


def test_plain_pictures_keep_their_grays() -> None:
    pixels = np.float32(0.3) + np.float32(0.2) * np.random.default_rng(1).random((224, 224), np.float32)
    np.testing.assert_array_equal(prepare("plain-224", pixels)[:, :, 0], pixels)
    assert np.all(prepare("plain-300", np.full((50, 40), 0.7, np.float32)) == np.float32(0.7))


def test_minmax_reaches_from_the_darkest_to_the_brightest_pixel() -> None:
    pixels = np.full((256, 256), 0.5, np.float32)
    pixels[:64, :64], pixels[128:, 128:] = 0.4, 0.6
    prepared = prepare("minmax-512", pixels)
    assert (prepared.min(), prepared.max()) == (0, 1)
    assert prepared[300, 40] == pytest.approx(0.5, abs=0.01)


def test_clahe_takes_noise_away_before_it_evens_contrast() -> None:
    """By OpenCV's own functions in the article's order; the other way round gives another picture."""
    gray = np.random.default_rng(3).integers(60, 100, (224, 224), np.uint8)
    clahe = cv2.createCLAHE(2.0, (8, 8))
    wanted, reversed_ = clahe.apply(cv2.GaussianBlur(gray, (5, 5), 0)), cv2.GaussianBlur(clahe.apply(gray), (5, 5), 0)
    pixels = np.asarray(gray / 255, np.float32)
    found = np.round(prepare("clahe-224", pixels)[:, :, 0] * 255)
    np.testing.assert_array_equal(found, wanted)
    assert not np.array_equal(found, reversed_)


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
