"""Padding is what a pixel can have, beside the picture; what is neither stays as it is."""

from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import dcmread

from imaging.phantoms import phantom, picture
from imaging.read import read
from tests.corpus.files import dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

FILM = picture("xray", 9, side=96)
FILM[40:60, 40:60] = 255  # overexposed
SLICE = (phantom("ct", 9, side=64).astype(np.int32) - 1024).clip(-1000, 1000).astype(np.int16)


def padded(pixels: npt.NDArray[Any], value: int, limit: int | None = None, *, vr: str = "US", modality: str = "CR", **tags: Any) -> bytes:
    """A file whose padding is written as `vr`, whether or not the pixels are signed."""
    dataset = dcmread(BytesIO(dicom(pixels, modality, **tags)))
    dataset.add_new(0x00280120, vr, value)
    if limit is not None:
        dataset.add_new(0x00280121, vr, limit)
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def shown(*args: Any, **tags: Any) -> npt.NDArray[np.float32]:
    return read(padded(*args, **tags)).pixels


PLAIN = read(dicom(FILM, "CR")).pixels


@pytest.mark.parametrize(("value", "vr"), [(65535, "US"), (-1, "SS"), (256, "US"), (0xFF00, "US"), (-256, "SS")])
def test_a_value_that_8_bits_cannot_have_is_no_padding(value: int, vr: str) -> None:
    assert np.array_equal(shown(FILM, value, vr=vr), PLAIN)


@pytest.mark.parametrize(("value", "vr"), [(65535, "US"), (4096, "US"), (-1, "SS"), (-2000, "SS"), (63536, "US")])
def test_a_value_that_12_bits_cannot_have_is_no_padding(value: int, vr: str) -> None:
    deep = FILM.astype(np.uint16) << 4 | 15
    tags: dict[str, Any] = {"BitsStored": 12, "HighBit": 11}
    assert np.array_equal(shown(deep, value, vr=vr, **tags), read(dicom(deep, "CR", **tags)).pixels)


@pytest.mark.parametrize(
    ("value", "vr", "bits"), [(-2000, "SS", 12), (63536, "US", 12), (2096, "US", 12), (-2000, "SS", 16), (63536, "US", 16)]
)
def test_the_bits_of_a_signed_value_count_however_it_is_written(value: int, vr: str, bits: int) -> None:
    units = SLICE.copy()
    units[:9] = -2000
    cells = (units.astype(np.int32) & (2**bits - 1)).astype(np.uint16)
    tags: dict[str, Any] = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": 1, "RescaleIntercept": 1000}
    pixels = shown(cells, value, vr=vr, modality="CT", **tags)  # -2000 would be -1000 HU, and gray
    assert (pixels[:9] == 0).all()
    assert np.array_equal(pixels[9:], read(dicom(cells, "CT", **tags)).pixels[9:])


def test_signed_bits_of_an_unsigned_value_count() -> None:
    deep = FILM.astype(np.uint16) * 100
    deep[:9] = 65535
    assert (shown(deep, -1, vr="SS")[:9] == 0).all()


FRAMED = FILM.copy()
FRAMED[:8] = FRAMED[:, :8] = 255


def test_white_padding_turns_black_and_overexposure_stays_white() -> None:
    pixels = shown(FRAMED, 255)
    assert (pixels[:8] == 0).all()
    assert (pixels[:, :8] == 0).all()
    assert np.array_equal(pixels[8:, 8:], PLAIN[8:, 8:])


def test_white_padding_of_a_negative_has_the_lowest_value() -> None:
    pixels = shown(255 - FRAMED, 0, PhotometricInterpretation="MONOCHROME1")
    assert (pixels[:8] == 0).all()
    assert np.allclose(pixels[8:, 8:], PLAIN[8:, 8:])
    sloped = shown(255 - FRAMED, 0, RescaleSlope=-1, RescaleIntercept=255, WindowCenter=128, WindowWidth=256)
    assert (sloped[:8] == 0).all()
    assert (sloped[40:60, 40:60] == 1).all()


@pytest.mark.parametrize("value", [255, 250])
def test_a_films_own_white_is_no_padding(value: int) -> None:
    """Its grays run up to it, at the edge of the film too."""
    ramp = np.linspace(0, 400, 96).clip(0, value)
    film = np.repeat(ramp[:, None], 96, axis=1).astype(np.uint8)
    assert np.array_equal(shown(film, value), read(dicom(film, "CR")).pixels)
    assert np.array_equal(shown(film, value, 255), read(dicom(film, "CR")).pixels)


@pytest.mark.parametrize("value", [0, 30, -850])
def test_a_value_that_anatomy_has_makes_no_holes_in_it(value: int) -> None:
    """Some writers put 0 for a padding that they do not have."""
    assert value in SLICE
    assert np.array_equal(
        shown(SLICE, value, vr="SS", modality="CT", RescaleIntercept=0), read(dicom(SLICE, "CT", RescaleIntercept=0)).pixels
    )


@pytest.mark.parametrize("limits", [(0, 255), (255, 0), (1, 255)])
def test_a_range_over_all_values_is_none(limits: tuple[int, int]) -> None:
    assert np.array_equal(shown(FILM.clip(5, None), *limits), read(dicom(FILM.clip(5, None), "CR")).pixels)


@pytest.mark.parametrize("limits", [(200, 255), (255, 200)])
def test_a_range_has_its_limits_in_either_order(limits: tuple[int, int]) -> None:
    framed = FILM.clip(None, 150)
    framed[:8] = 220
    framed[:4] = 250
    pixels = shown(framed, *limits)
    assert (pixels[:8] == 0).all()
    assert np.array_equal(pixels[8:], read(dicom(framed, "CR")).pixels[8:])


def test_a_limit_that_no_pixel_can_have_is_none() -> None:
    film = FILM.clip(5, None)
    film[:8] = 0
    assert np.array_equal(shown(film, 0, 65535), read(dicom(film, "CR")).pixels)
    assert np.array_equal(shown(film, 65535, 0), read(dicom(film, "CR")).pixels)
