"""DICOM objects in every encoding, whole and broken."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000MCLossless,
    RLELossless,
)

from imaging import deflated, limits
from imaging import dicom as module
from imaging.phantoms import phantom, picture
from imaging.read import read
from lungline.errors import UnreadableScan
from lungline.reasons import Reason
from tests.corpus import compressed
from tests.corpus.files import dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

CT = phantom("ct", seed=11, side=64)
SHOWN = read(dicom(CT, "CT")).pixels
SYNTAXES = (
    *(ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless),
    *compressed.LOSSLESS,
)


def reason(data: bytes, frame: int = 1) -> Reason:
    with pytest.raises(UnreadableScan) as error:
        read(data, frame)
    return error.value.reason


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_every_encoding_gives_the_same_pixels(syntax: UID, dtype: type[Any]) -> None:
    pixels = (CT >> (4 if dtype is np.uint8 else 1)).astype(dtype)
    assert np.array_equal(read(dicom(pixels, "DX", syntax=syntax)).pixels, read(dicom(pixels, "DX")).pixels)


@pytest.mark.parametrize("syntax", SYNTAXES[:3], ids=lambda syntax: syntax.keyword)
def test_files_without_preamble_and_meta_group(syntax: UID) -> None:
    assert np.array_equal(read(dicom(CT, "CT", syntax=syntax, has_preamble=False)).pixels, SHOWN)


def test_the_facts_come_along() -> None:
    image = read(dicom(CT, "CT"))
    assert (image.rows, image.columns, image.frames) == (64, 64, 1)
    assert image.facts.manufacturer == "Lungline Phantoms"


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_frames_are_read_one_by_one(syntax: UID) -> None:
    frames = np.stack([phantom("ct", seed, side=32) for seed in range(3)])
    data = dicom(frames, "CT", syntax=syntax)
    for number, pixels in enumerate(frames, start=1):
        image = read(data, number)
        assert image.frames == 3
        assert np.array_equal(image.pixels, read(dicom(pixels, "CT")).pixels)
    assert reason(data, 4) is Reason.NO_PIXELS
    assert reason(data, 0) is Reason.NO_PIXELS


def colours() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)


def luma(rgb: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(rgb @ np.array([0.299, 0.587, 0.114]) / 255)


@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_becomes_luma(planar: int) -> None:
    rgb = colours()
    stored = rgb if planar == 0 else np.ascontiguousarray(rgb.transpose(2, 0, 1)).reshape(16, 16, 3)
    assert np.allclose(read(dicom(stored, "OT", PlanarConfiguration=planar)).pixels, luma(rgb), atol=1e-5)


def test_ybr_gives_its_luma_back() -> None:
    rgb = np.repeat(picture("xray", 2, side=16)[..., None], 3, axis=2)
    ybr = np.dstack([rgb[..., 0], np.full((16, 16), 128, np.uint8), np.full((16, 16), 128, np.uint8)])
    assert np.allclose(read(dicom(ybr, "OT", PhotometricInterpretation="YBR_FULL")).pixels, luma(rgb), atol=1 / 255)


def test_a_palette_is_looked_up() -> None:
    tables: dict[str, Any] = {}
    for colour, levels in (("Red", np.arange(256)), ("Green", np.arange(256)[::-1]), ("Blue", np.zeros(256))):
        tables[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tables[f"{colour}PaletteColorLookupTableData"] = (levels * 257).astype("<u2").tobytes()
    index = picture("ct", 3, side=16)
    expected = luma(np.dstack([index, 255 - index, np.zeros_like(index)]))
    assert np.allclose(read(dicom(index, "OT", PhotometricInterpretation="PALETTE COLOR", **tables)).pixels, expected, atol=1e-4)


def test_one_bit_pixels() -> None:
    bits = np.random.default_rng(2).integers(0, 2, (2, 8, 8), np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    tags: dict[str, Any] = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelData": packed}
    assert np.array_equal(read(dicom(bits, "OT", **tags), 2).pixels, bits[1])


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_a_cut_anywhere_is_named_and_mostly_as_a_cut(syntax: UID) -> None:
    whole = dicom(phantom("ct", 1, side=32), "CT", syntax=syntax)
    found = [reason(whole[:length]) for length in range(132, len(whole) - 8)]  # RLE ends with 8 bytes that hold no pixels
    # Between two elements a header may also have ended on purpose; the cut is then a file without pixels.
    assert set(found) <= {Reason.TRUNCATED, Reason.NO_PIXELS}
    assert found.count(Reason.NO_PIXELS) < 60


def test_what_the_header_owes_its_pixels_is_assumed() -> None:
    data = dicom(CT, "CT", PhotometricInterpretation=None, SamplesPerPixel=None, PixelRepresentation=None, HighBit=None)
    assert np.array_equal(read(data).pixels, SHOWN)


@pytest.mark.parametrize(
    "tags", [{"BitsAllocated": None}, {"BitsAllocated": 12}, {"BitsStored": 40}, {"Rows": 0}, {"SamplesPerPixel": 3, "Rows": 16}]
)
def test_a_header_that_contradicts_itself_is_damage(tags: dict[str, Any]) -> None:
    assert reason(dicom(CT, "CT", **tags)) is Reason.NOT_AN_IMAGE


def test_another_photometric_interpretation_is_not_read() -> None:
    assert reason(dicom(CT, "CT", PhotometricInterpretation="HSV")) is Reason.UNSUPPORTED_FORMAT


@pytest.mark.parametrize(("uid", "name"), [(JPEG2000MCLossless, "JPEG2000MCLossless"), ("1.2.840.113619.5.2", "of a private kind")])
def test_unsupported_transfer_syntax_is_named_in_our_words(uid: str, name: str) -> None:
    data = dicom(CT, "CT", syntax=RLELossless).replace(str(RLELossless).encode().ljust(20, b"\0"), b"\1" * 20)
    length_at = data.index(b"\1" * 20) - 2
    value = uid.encode() + b"\0" * (len(uid) % 2)
    data = data[:length_at] + len(value).to_bytes(2, "little") + value + data[length_at + 22 :]
    group_length = int.from_bytes(data[140:144], "little") + len(value) - 20
    data = data[:140] + group_length.to_bytes(4, "little") + data[144:]
    with pytest.raises(UnreadableScan) as error:
        read(data)
    assert error.value.reason is Reason.UNSUPPORTED_FORMAT
    assert name in error.value.detail
    assert name == uid or uid not in error.value.detail


def test_an_empty_pixel_element_is_no_image() -> None:
    assert reason(dicom(CT, "CT", PixelData=b"")) is Reason.NO_PIXELS


def test_limits_hold_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **options: Any) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(module, "pixel_array", never)
    monkeypatch.setattr(limits, "PIXELS_MAX", 64 * 64 - 1)
    assert reason(dicom(CT, "CT")) is Reason.TOO_LARGE
    monkeypatch.setattr(deflated, "INFLATED_BYTES_MAX", 4096)
    assert reason(dicom(CT, "CT", syntax=DeflatedExplicitVRLittleEndian)) is Reason.TOO_LARGE


def test_sequences_nested_beyond_reason_are_damage() -> None:
    item = Dataset()
    for _ in range(200):
        outer = Dataset()
        outer.ReferencedImageSequence = [item]
        item = outer
    assert read(dicom(CT, "CT", ReferencedImageSequence=[item])).frames == 1


@pytest.mark.parametrize("length", [1, 5, 200, 4000])
@pytest.mark.parametrize("seed", range(5))
def test_noise_behind_a_beginning_was_never_an_image(length: int, seed: int) -> None:
    noise = np.random.default_rng(seed).bytes(8 + length)
    assert reason(bytes(128) + b"DICM" + noise) is Reason.NOT_AN_IMAGE
    meta = dicom(CT, "CT")
    meta = meta[: 144 + int.from_bytes(meta[140:144], "little")]
    assert reason(meta + noise) is Reason.NOT_AN_IMAGE
