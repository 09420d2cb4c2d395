"""Where the meta group ends is walked, whatever its length says."""

import struct
import zlib

import numpy as np
import pytest
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
)

from imaging.deflated import inflate, meta_end
from imaging.phantoms import phantom
from imaging.read import read
from lungline.errors import UnreadableScan
from lungline.reasons import Reason
from tests.corpus.files import dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

SLICE = phantom("ct", 12, side=48)
SHOWN = read(dicom(SLICE, "CT")).pixels
SYNTAXES = (DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLSLossless)
LENGTH_AT = 140  # the value of the group length


def with_length(data: bytes, length: int | None) -> bytes:
    """The file with another group length; None takes the element out."""
    if length is None:
        return data[: LENGTH_AT - 8] + data[LENGTH_AT + 4 :]
    return data[:LENGTH_AT] + struct.pack("<I", length % 2**32) + data[LENGTH_AT + 4 :]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_the_group_length_is_not_believed(syntax: UID) -> None:
    data = dicom(SLICE, "CT", syntax=syntax)
    right = int.from_bytes(data[LENGTH_AT : LENGTH_AT + 4], "little")
    assert meta_end(data) == LENGTH_AT + 4 + right
    for length in (right + 8, right - 8, right + 1, right - 1, 0, 2 * right, len(data), -1, None):
        assert np.array_equal(read(with_length(data, length)).pixels, SHOWN), length


def test_a_deflated_file_without_a_preamble() -> None:
    data = dicom(SLICE, "CT", syntax=DeflatedExplicitVRLittleEndian)
    assert np.array_equal(read(data[132:]).pixels, SHOWN)


def test_meta_elements_of_every_form_are_walked() -> None:
    data = dicom(SLICE, "CT", syntax=DeflatedExplicitVRLittleEndian)
    end = meta_end(data)
    private = b"\2\0\2\1OB\0\0" + struct.pack("<I", 6) + b"\2\0\1\1UI"
    assert meta_end(data[:end] + private + data[end:]) == end + len(private)
    assert np.array_equal(read(data[:end] + private + data[end:]).pixels, SHOWN)


def test_a_cut_in_the_meta_group_or_behind_is_a_cut() -> None:
    data = with_length(dicom(SLICE, "CT", syntax=DeflatedExplicitVRLittleEndian), 0)
    for length in (*range(150, meta_end(data), 7), meta_end(data), meta_end(data) + 10, len(data) - 10):
        with pytest.raises(UnreadableScan) as error:
            read(data[:length])
        assert error.value.reason in (Reason.TRUNCATED, Reason.NO_PIXELS), length


def test_other_files_stay_as_they_are() -> None:
    for data in (b"", b"DICM", dicom(SLICE, "CT"), dicom(SLICE, "CT", has_preamble=False), zlib.compress(bytes(500))):
        assert inflate(data) is data
