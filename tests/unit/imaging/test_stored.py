"""Signs and depths where the header and the compressed image disagree."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from openjpeg.utils import encode_array
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless

from imaging.phantoms import phantom
from imaging.read import read
from tests.corpus import compressed
from tests.corpus.files import dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

POSITIVE = phantom("ct", 31, side=64).clip(0, 2047)  # 11 bits, unsigned
NEGATIVE = POSITIVE.astype(np.int16) - 1024  # 11 bits, signed


def shown(coded: npt.NDArray[Any], bits: int, stored: int, *, is_signed: bool, intercept: int) -> npt.NDArray[np.float32]:
    """Pixels in JPEG 2000, with the sign of their own, in a header of another."""
    frame = bytes(encode_array(coded, bits_stored=bits, photometric_interpretation=2))
    tags: dict[str, Any] = {
        "BitsStored": stored,
        "HighBit": stored - 1,
        "PixelRepresentation": int(is_signed),
        "RescaleIntercept": intercept,
    }
    return read(dicom(POSITIVE, "CT", syntax=JPEG2000Lossless, PixelData=encapsulate([frame]), **tags)).pixels


PLAIN = read(dicom(POSITIVE, "CT")).pixels


def test_the_phantom_has_both_halves_of_its_range() -> None:
    assert np.quantile(POSITIVE, 0.1) < 900 < 1030 < np.quantile(POSITIVE, 0.9)


@pytest.mark.parametrize("stored", [11, 12, 13, 16])
def test_unsigned_values_of_11_bits_in_a_signed_header(stored: int) -> None:
    assert np.array_equal(shown(POSITIVE, 11, stored, is_signed=True, intercept=-1024), PLAIN)


@pytest.mark.parametrize("stored", [11, 12, 16])
def test_signed_values_of_11_bits_in_an_unsigned_header(stored: int) -> None:
    assert np.array_equal(shown(NEGATIVE, 11, stored, is_signed=False, intercept=0), PLAIN)


def test_signed_values_that_were_encoded_as_unsigned() -> None:
    cells = (NEGATIVE.astype(np.int32) & 0x7FF).astype(np.uint16)
    assert np.array_equal(shown(cells, 11, 11, is_signed=True, intercept=0), PLAIN)
    whole = NEGATIVE.view(np.uint16)
    assert np.array_equal(shown(whole, 16, 16, is_signed=True, intercept=0), PLAIN)


def test_unsigned_values_that_were_encoded_as_signed() -> None:
    assert np.array_equal(shown((POSITIVE << 5).view(np.int16) >> 5, 11, 11, is_signed=False, intercept=-1024), PLAIN)


def test_real_slice_with_signed_values_encoded_as_unsigned() -> None:
    path = get_testdata_file("J2K_pixelrep_mismatch.dcm", download=False)
    assert isinstance(path, str)
    with open(path, "rb") as file:
        pixels = read(file.read()).pixels
    assert (pixels[:20, :20] == 0).all()  # the corner was -2000 HU
    assert 0.2 < pixels.mean() < 0.6


@pytest.mark.parametrize("stored", [12, 16])
def test_jpeg_ls_has_no_sign_of_its_own(stored: int) -> None:
    tags: dict[str, Any] = {"BitsStored": stored, "HighBit": stored - 1, "PixelRepresentation": 1}
    frame = compressed.compress(POSITIVE, JPEGLSLossless, 11)
    assert np.array_equal(read(dicom(POSITIVE, "CT", syntax=JPEGLSLossless, PixelData=encapsulate([frame]), **tags)).pixels, PLAIN)
    small = (POSITIVE >> 4).astype(np.uint8)
    frame = compressed.compress(small, JPEGLSLossless, 8)
    as_stored = read(dicom(small.astype(np.uint16), "CT", **tags)).pixels
    assert np.array_equal(read(dicom(POSITIVE, "CT", syntax=JPEGLSLossless, PixelData=encapsulate([frame]), **tags)).pixels, as_stored)
