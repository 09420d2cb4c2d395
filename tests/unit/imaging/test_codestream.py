"""Heads of compressed images are believed only as far as they agree with themselves."""

import struct

import numpy as np
import pytest
from openjpeg.utils import encode_array
from pydicom.uid import UID, JPEG2000Lossless, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSLossless

from imaging import codestream
from imaging.codestream import Head
from imaging.phantoms import phantom, picture
from lungline.errors import UnreadableScan
from lungline.reasons import Reason
from tests.corpus import compressed

DEEP = phantom("ct", 3, side=48)[:40]
FILM = picture("xray", 3, side=48)[:40]
J2K = compressed.compress(DEEP, JPEG2000Lossless)
JP2 = bytes(encode_array(DEEP, codec_format=1, photometric_interpretation=2))


def head(data: bytes) -> Head:
    return codestream.jpeg(data) if data.startswith(b"\xff\xd8") else codestream.jpeg_2000(data)


def reason(data: bytes) -> Reason:
    with pytest.raises(UnreadableScan) as error:
        head(data)
    return error.value.reason


@pytest.mark.parametrize("syntax", compressed.SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_sizes_and_depths(syntax: UID) -> None:
    bits = 8 if syntax == JPEGBaseline8Bit else int(DEEP.max()).bit_length()
    pixels = FILM if syntax == JPEGBaseline8Bit else DEEP
    answer = head(compressed.compress(pixels, syntax))
    assert (answer.rows, answer.columns, answer.samples) == (40, 48, 1)
    assert answer.bits == 12 if syntax == JPEGExtended12Bit else bits


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, *compressed.LOSSLESS], ids=lambda syntax: syntax.keyword)
def test_colour_has_three_samples(syntax: UID) -> None:
    is_signed = False if "2000" in syntax.keyword else None
    assert head(compressed.compress(np.dstack([FILM, FILM, FILM]), syntax)) == Head(40, 48, 3, 8, is_signed)


@pytest.mark.parametrize("syntax", compressed.SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_every_cut_is_noticed(syntax: UID) -> None:
    whole = compressed.compress(FILM if syntax == JPEGBaseline8Bit else DEEP, syntax)
    # JPEG 2000 tells the length of its tile parts, so that the end mark behind them need not be there.
    for length in range(4, len(whole) - 2):
        assert reason(whole[:length]) is Reason.TRUNCATED


def test_jpeg_2000_says_whether_it_is_signed() -> None:
    signed = bytes(encode_array((DEEP.astype(np.int16) - 1024), bits_stored=12, photometric_interpretation=2))
    assert (head(signed).bits, head(signed).is_signed) == (12, True)
    assert head(J2K).is_signed is False
    assert head(compressed.compress(DEEP, JPEGLSLossless)).is_signed is None


def test_a_jp2_file_around_the_codestream_is_looked_through() -> None:
    assert head(JP2) == head(J2K)


def test_a_palette_in_a_jp2_file_is_refused() -> None:
    assert reason(JP2.replace(b"colr", b"pclr")) is Reason.NOT_AN_IMAGE


def changed(at: int, form: str, *values: int) -> bytes:
    return J2K[:at] + struct.pack(form, *values) + J2K[at + struct.calcsize(form) :]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Reason.NOT_AN_IMAGE),
        (b"\xff\xd8\xff", Reason.TRUNCATED),
        (b"\0\0\0\x0cjP  \r\n\x87\n", Reason.NOT_AN_IMAGE),
        (changed(4, ">H", 44), Reason.NOT_AN_IMAGE),  # a SIZ of another length than its components make
        (changed(16, ">II", 2**31, 2**31), Reason.NOT_AN_IMAGE),  # the image begins behind its end
        (changed(24, ">II", 0, 0), Reason.NOT_AN_IMAGE),
        (changed(40, ">H", 16384), Reason.NOT_AN_IMAGE),
        (changed(43, ">BB", 2, 2), Reason.NOT_AN_IMAGE),  # subsampled
        (changed(8, ">IIIIII", 2**32 - 1, 2**32 - 1, 0, 0, 1, 1), Reason.NOT_AN_IMAGE),
        (changed(8, ">IIIIII", 8192, 8192, 0, 0, 64, 64), Reason.TOO_LARGE),
    ],
)
def test_heads_that_contradict_themselves(data: bytes, expected: Reason) -> None:
    assert reason(data) is expected


def test_tile_parts_that_lie_about_their_length_end_the_look() -> None:
    at = J2K.index(b"\xff\x90") + 6
    assert reason(J2K[:at] + struct.pack(">I", 2**32 - 1) + J2K[at + 4 :]) is Reason.TRUNCATED
    assert head(J2K[:at] + bytes(4) + J2K[at + 4 :]) == head(J2K)  # until the end mark
    assert head(J2K[:at] + struct.pack(">I", 1) + J2K[at + 4 :]) == head(J2K)


def test_jpeg_with_a_second_frame_or_size_is_refused() -> None:
    data = compressed.lossless_jpeg(DEEP, 1)
    end = 4 + int.from_bytes(data[4:6], "big")
    assert reason(data[:end] + data[2:]) is Reason.NOT_AN_IMAGE
    oversize = b"\xff\xf8" + struct.pack(">HBBHH", 8, 4, 2, 60_000, 60_000)
    ls = compressed.compress(DEEP, JPEGLSLossless)
    assert reason(ls[:2] + oversize + ls[2:]) is Reason.NOT_AN_IMAGE


def test_a_jpeg_frame_too_short_or_missing_is_damage() -> None:
    assert reason(b"\xff\xd8\xff\xc3\0\4\x10\0\xff\xda\0\2\xff\xd9") is Reason.NOT_AN_IMAGE
    assert reason(b"\xff\xd8\xff\xda\0\2\xff\xd9") is Reason.NOT_AN_IMAGE
