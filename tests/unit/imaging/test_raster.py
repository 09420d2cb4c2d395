"""PNG and JPEG in every mode."""

import numpy as np
import numpy.typing as npt
import pytest

from imaging import limits
from imaging.formats import Format
from imaging.phantoms import phantom, picture
from imaging.raster import decode
from lungline.errors import UnreadableScan
from lungline.reasons import Reason
from tests.corpus.files import chunk, cmyk_jpeg, jpeg, orientation, png

FILM = picture("xray", seed=5, side=96)
SHOWN = FILM / 255


def assert_same(pixels: npt.NDArray[np.float32], expected: npt.NDArray[np.float64], tolerance: float = 1e-6) -> None:
    assert pixels.dtype == np.float32
    assert pixels.shape == expected.shape
    assert float(np.abs(pixels - expected).max()) <= tolerance


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_span_black_to_white(bits: int) -> None:
    levels = np.arange(96 * 50).reshape(50, 96).astype(np.uint8) % 2**bits
    assert_same(decode(png(levels, bits=bits), Format.PNG), levels / (2**bits - 1))


@pytest.mark.parametrize("is_interlaced", [False, True])
def test_gray(is_interlaced: bool) -> None:
    assert_same(decode(png(FILM, is_interlaced=is_interlaced), Format.PNG), SHOWN)


def test_16_bits_that_are_used_in_full() -> None:
    assert_same(decode(png(FILM.astype(np.uint16) * 257), Format.PNG), SHOWN)


def test_a_detectors_12_bits_in_16_are_not_shown_black() -> None:
    stored = phantom("xray", seed=5, side=96)
    assert stored.max() > 2048
    assert_same(decode(png(stored), Format.PNG), stored / 4095)


def test_colour_becomes_luma() -> None:
    red, green, blue = (np.full((1, 1), value, np.uint8) for value in (200, 100, 50))
    expected = (0.299 * red + 0.587 * green + 0.114 * blue) / 255
    assert_same(decode(png(np.dstack([red, green, blue])), Format.PNG), expected, 1 / 255)


def test_a_palette_is_looked_up() -> None:
    palette = [(255 - level,) * 3 for level in range(256)]
    assert_same(decode(png(FILM, palette=palette), Format.PNG), 1 - SHOWN)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_transparent_lies_on_black(dtype: type[np.uint8] | type[np.uint16]) -> None:
    top = np.iinfo(dtype).max
    alpha = np.full(FILM.shape, top, dtype)
    alpha[:48] = 0
    gray = (FILM.astype(np.uint32) * (top // 255)).astype(dtype)
    expected = np.where(alpha > 0, SHOWN, 0)
    for pixels in (np.dstack([gray, alpha]), np.dstack([gray, gray, gray, alpha])):
        assert_same(decode(png(pixels), Format.PNG), expected)


def test_a_transparent_palette_lies_on_black() -> None:
    palette = [(level, level, level, 0 if level < 100 else 255) for level in range(256)]
    assert_same(decode(png(FILM, palette=palette), Format.PNG), np.where(FILM < 100, 0, SHOWN))


@pytest.mark.parametrize("is_progressive", [False, True])
def test_jpeg(is_progressive: bool) -> None:
    assert_same(decode(jpeg(FILM, quality=100, is_progressive=is_progressive), Format.JPEG), SHOWN, 3 / 255)


def test_cmyk() -> None:
    inks = np.dstack([255 - FILM] * 3 + [np.zeros_like(FILM)])
    assert_same(decode(cmyk_jpeg(inks), Format.JPEG), SHOWN, 10 / 255)


# EXIF orientation -> what was done to the upright picture before it was stored.
STORED_AS = {1: (0, False), 2: (0, True), 3: (2, False), 4: (2, True), 5: (1, True), 6: (1, False), 7: (3, True), 8: (3, False)}


@pytest.mark.parametrize("value", STORED_AS)
def test_exif_orientation_is_undone(value: int) -> None:
    upright = FILM[:, :64]
    turns, is_mirrored = STORED_AS[value]
    stored = np.rot90(np.fliplr(upright) if is_mirrored else upright, turns)
    stored = np.ascontiguousarray(stored)
    assert_same(decode(png(stored, exif=orientation(value)), Format.PNG), upright / 255)
    assert_same(decode(jpeg(stored, quality=100, exif=orientation(value)), Format.JPEG), upright / 255, 4 / 255)


def test_bytes_behind_the_end_do_no_harm() -> None:
    assert_same(decode(png(FILM) + b"\0" * 100, Format.PNG), SHOWN)
    assert_same(decode(jpeg(FILM, quality=100) + b"\0" * 100, Format.JPEG), SHOWN, 3 / 255)


@pytest.mark.parametrize("kind", list(Format)[1:])
def test_every_cut_is_noticed(kind: Format) -> None:
    small = FILM[:24, :24]
    whole = png(small) if kind is Format.PNG else jpeg(small)
    for length in range(8, len(whole) - 1):
        with pytest.raises(UnreadableScan) as error:
            decode(whole[:length], kind)
        assert error.value.reason is Reason.TRUNCATED


def test_zeros_where_bytes_are_still_to_come_are_a_cut() -> None:
    for whole, kind in ((png(FILM), Format.PNG), (jpeg(FILM), Format.JPEG)):
        for written in (50, len(whole) // 2):
            with pytest.raises(UnreadableScan) as error:
                decode(whole[:written] + bytes(len(whole) - written), kind)
            assert error.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize(("marker", "precision"), [(0xC3, 8), (0xC1, 12), (0xF7, 8)])
def test_a_jpeg_process_that_is_not_read_is_named(marker: int, precision: int) -> None:
    data = bytearray(jpeg(FILM))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, precision
    with pytest.raises(UnreadableScan) as error:
        decode(bytes(data), Format.JPEG)
    assert error.value.reason is Reason.UNSUPPORTED_FORMAT


def test_a_jpeg_scan_without_its_frame_is_damaged() -> None:
    data = jpeg(FILM)
    at = data.index(b"\xff\xc0")
    length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    with pytest.raises(UnreadableScan) as error:
        decode(data[:at] + data[at + length :], Format.JPEG)
    assert error.value.reason is Reason.NOT_AN_IMAGE


def test_the_size_is_checked_against_our_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PIXELS_MAX", 96 * 96 - 1)
    for data, kind in ((png(FILM), Format.PNG), (jpeg(FILM), Format.JPEG)):
        with pytest.raises(UnreadableScan) as error:
            decode(data, kind)
        assert error.value.reason is Reason.TOO_LARGE


def test_a_chunk_before_the_header_is_damage() -> None:
    data = png(FILM)
    with pytest.raises(UnreadableScan) as error:
        decode(data[:8] + chunk(b"tEXt", b"hello") + data[8:], Format.PNG)
    assert error.value.reason is Reason.NOT_AN_IMAGE
