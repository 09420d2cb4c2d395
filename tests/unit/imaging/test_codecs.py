"""Compressed DICOM: every syntax against a second decoder and against dcmtk, over pydicom's own files, made ones and real ones."""

import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom.encaps
import pytest
from pydicom import dcmread
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from imaging import dicom as module
from imaging.phantoms import phantom, picture
from imaging.read import read
from lungline.errors import UnreadableScan
from lungline.reasons import Reason
from tests.corpus import compressed
from tests.corpus.files import dicom
from tests.unit.imaging.dcmtk import GRAY_LEVEL, assert_as_dcmtk, decoded, needs_dcmtk

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

REAL = Path(__file__).parents[4] / "shared" / "data" / "originals" / "dicom"
BROKEN = "JPEG2000-embedded-sequence-delimiter.dcm"  # on purpose
REFUSED_BY_DCMTK = "SC_rgb_jpeg.dcm"  # it says RGB around a JFIF file, which is YCbCr

DEEP, FILM = phantom("xray", 21, side=64), picture("xray", 21, side=64)
COLOUR = np.dstack([FILM, 255 - FILM, FILM // 2])
GRAY_OF_COLOUR = read(dicom(COLOUR, "OT")).pixels


@cache
def bundled() -> dict[str, Path]:
    """pydicom's own files with compressed pixels."""
    found = {}
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").rglob("*.dcm")):
        header = dcmread(path, force=True, stop_before_pixels=True)
        syntax = header.file_meta.get("TransferSyntaxUID")
        if syntax and syntax.is_compressed and "Rows" in header and path.name != BROKEN:
            found[path.name] = path
    return found


def test_pydicom_bundles_many() -> None:
    assert len(bundled()) >= 38


@pytest.mark.parametrize("name", bundled())
def test_pydicoms_own_files_are_read(name: str) -> None:
    pixels = read(bundled()[name].read_bytes()).pixels
    assert np.isfinite(pixels).all()
    assert pixels.max() > pixels.min()


@pytest.mark.parametrize("name", bundled())
def test_a_second_decoder_finds_the_same_values(name: str) -> None:
    dataset = dcmread(bundled()[name])
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in (JPEGExtended12Bit, RLELossless):
        pytest.skip("pydicom has one decoder for it; dcmtk is the second")
    assert np.array_equal(decoded(dataset), pixel_array(dataset, index=0, decoding_plugin="gdcm"))


@needs_dcmtk
@pytest.mark.parametrize("name", bundled())
def test_dcmtk_shows_pydicoms_own_files_alike(name: str, tmp_path: Path) -> None:
    dataset = dcmread(bundled()[name])
    if "2000" in dataset.file_meta.TransferSyntaxUID.keyword:
        pytest.skip("dcmtk has no JPEG 2000")
    if name == REFUSED_BY_DCMTK:
        pytest.skip("dcmtk refuses it")
    assert_as_dcmtk(dataset, tmp_path)


@needs_dcmtk
@pytest.mark.parametrize("syntax", compressed.SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_dcmtk_shows_made_files_alike(syntax: UID, tmp_path: Path) -> None:
    if "2000" in syntax.keyword:
        pytest.skip("dcmtk has no JPEG 2000")
    made = dicom(FILM if syntax == JPEGBaseline8Bit else DEEP, "DX", syntax=syntax)
    (tmp_path / "made.dcm").write_bytes(made)
    assert_as_dcmtk(dcmread(tmp_path / "made.dcm"), tmp_path)


@needs_dcmtk
@pytest.mark.skipif(not REAL.is_dir(), reason="no real DICOM files beside the clone (shared/data/originals/dicom)")
@pytest.mark.parametrize("place", range(4))
def test_dcmtk_shows_real_files_alike(place: int, tmp_path: Path) -> None:
    paths = sorted(REAL.glob("*.dcm"))
    if place >= len(paths):
        pytest.skip("there are fewer real files")
    assert_as_dcmtk(dcmread(paths[place]), tmp_path)


@pytest.mark.parametrize("syntax", compressed.LOSSLESS, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("bits", [8, 10, 12, 15, 16])
def test_lossless_is_lossless_at_every_depth(syntax: UID, bits: int) -> None:
    pixels = np.random.default_rng(bits).integers(0, 2**bits, (33, 47)).astype(np.uint8 if bits == 8 else np.uint16)
    pixels[0, :2] = 0, 2**bits - 1
    tags: dict[str, Any] = {"WindowCenter": 2 ** (bits - 1), "WindowWidth": 2**bits}
    assert np.array_equal(read(dicom(pixels, "DX", syntax=syntax, **tags)).pixels, read(dicom(pixels, "DX", **tags)).pixels)


@pytest.mark.parametrize("predictor", range(1, 8))
def test_lossless_jpeg_with_every_predictor(predictor: int) -> None:
    frame = compressed.lossless_jpeg(DEEP, predictor)
    data = dicom(DEEP, "DX", syntax=JPEGLossless, PixelData=pydicom.encaps.encapsulate([frame]))
    assert np.array_equal(read(data).pixels, read(dicom(DEEP, "DX")).pixels)


@pytest.mark.parametrize("syntax", compressed.LOSSY, ids=lambda syntax: syntax.keyword)
def test_lossy_is_close(syntax: UID) -> None:
    pixels = FILM if syntax == JPEGBaseline8Bit else DEEP
    tags: dict[str, Any] = {} if syntax == JPEGBaseline8Bit else {"WindowCenter": 2048, "WindowWidth": 4096}
    error = np.abs(read(dicom(pixels, "DX", syntax=syntax, **tags)).pixels - read(dicom(pixels, "DX", **tags)).pixels)
    assert error.max() < (5 * GRAY_LEVEL if syntax == JPEGBaseline8Bit else GRAY_LEVEL)


@pytest.mark.parametrize(
    "syntax", [syntax for syntax in compressed.SYNTAXES if syntax != JPEGExtended12Bit], ids=lambda syntax: syntax.keyword
)
def test_colour_becomes_the_same_luma(syntax: UID) -> None:
    error = np.abs(read(dicom(COLOUR, "OT", syntax=syntax)).pixels - GRAY_OF_COLOUR)
    assert error.max() <= (0 if syntax in compressed.LOSSLESS else 4 * GRAY_LEVEL)


def test_8_bits_in_a_header_for_16() -> None:
    """What some toolkits make of 8-bit secondary captures."""
    tags: dict[str, Any] = {"BitsAllocated": 16, "BitsStored": 8, "HighBit": 7}
    for syntax in (JPEGBaseline8Bit, *compressed.LOSSLESS):
        shown = read(dicom(FILM, "CR", syntax=syntax, **tags)).pixels
        assert np.abs(shown - FILM / 255).max() < 5 * GRAY_LEVEL


def test_more_bits_than_the_header_has_room_for_are_damage() -> None:
    for syntax in (*compressed.LOSSLESS, JPEGLSNearLossless):
        with pytest.raises(UnreadableScan) as error:
            read(dicom(DEEP, "DX", syntax=syntax, BitsAllocated=8, BitsStored=8, HighBit=7))
        assert error.value.reason is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("syntax", compressed.SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_no_codec_is_asked_for_another_size_than_the_headers(syntax: UID, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **options: Any) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(module, "pixel_array", never)
    pixels = FILM if syntax == JPEGBaseline8Bit else DEEP
    for tags in ({"Rows": 63}, {"Columns": 65}, {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}):
        with pytest.raises(UnreadableScan) as error:
            read(dicom(pixels, "DX", syntax=syntax, **tags))
        assert error.value.reason is Reason.NOT_AN_IMAGE


def test_only_the_codec_of_a_syntax_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """GDCM's copy of OpenJPEG is years older, and would be next."""
    asked = []
    monkeypatch.setattr(module, "pixel_array", lambda *args, decoding_plugin, **options: asked.append(decoding_plugin))
    for syntax in (JPEG2000Lossless, JPEGLSNearLossless, JPEGLossless):
        with pytest.raises(UnreadableScan):  # nothing was decoded
            read(dicom(DEEP, "DX", syntax=syntax))
    assert asked == ["pylibjpeg", "pyjpegls", "lungline"]


def damaged_heads() -> dict[str, bytes]:
    """What makes GDCM end its process, if it is let."""
    lossless, baseline = compressed.compress(DEEP, JPEGLossless), compressed.compress(FILM, JPEGBaseline8Bit)
    adobe = struct.pack(">HH5sHHHB", 0xFFEE, 14, b"Adobe", 100, 0, 0, 9)
    return {
        "an unknown JFIF version": baseline.replace(b"JFIF\0\1", b"JFIF\0\7"),
        "an unknown Adobe transform": baseline[:2] + adobe + baseline[2:],
        "a stuffed zero for a marker": baseline.replace(b"\xff\xdb", b"\xff\0", 1),
        "one bit a sample": lossless.replace(b"\xff\xc3\0\x0b\x0c", b"\xff\xc3\0\x0b\1"),
        "12 bits said to be 10": compressed.compress(DEEP, JPEGExtended12Bit).replace(b"\xff\xc1\0\x0b\x0c", b"\xff\xc1\0\x0b\x0a"),
    }


@pytest.mark.parametrize("name", damaged_heads())
def test_damaged_heads_that_gdcm_would_die_of(name: str) -> None:
    frame = damaged_heads()[name]
    is_baseline = b"\xff\xc0" in frame
    syntax = JPEGBaseline8Bit if is_baseline else JPEGLossless
    data = dicom(FILM if is_baseline else DEEP, "DX", syntax=syntax, PixelData=pydicom.encaps.encapsulate([frame]))
    with pytest.raises(UnreadableScan) as error:
        read(data)
    assert error.value.reason is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("bits", range(2, 8))
def test_fewer_than_8_bits(bits: int) -> None:
    pixels = np.random.default_rng(bits).integers(0, 2**bits, (40, 40), np.uint8)
    tags: dict[str, Any] = {"BitsStored": bits, "HighBit": bits - 1}
    for syntax in compressed.LOSSLESS:
        encoded = pydicom.encaps.encapsulate([compressed.compress(pixels, syntax, bits)])
        shown = read(dicom(pixels, "CR", syntax=syntax, PixelData=encoded, **tags)).pixels
        assert np.array_equal(shown, read(dicom(pixels, "CR", **tags)).pixels)
