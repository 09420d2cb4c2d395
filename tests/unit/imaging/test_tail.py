"""Files whose length was set first, and whose bytes did not all come: never read as if they were whole."""

from collections.abc import Callable

import numpy as np
import pytest
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from imaging.phantoms import picture
from imaging.read import read
from imaging.tail import judge
from lungline.errors import UnreadableScan
from lungline.reasons import Reason
from tests.corpus import compressed
from tests.corpus.files import Pixels, dicom, jpeg, png

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

NATIVE = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
FILM = picture("xray", 1, side=256)
GRAY = np.random.default_rng(0).integers(20, 4000, (256, 200)).astype(np.uint16)


def said(data: bytes) -> Reason | None:
    """Why it cannot be read, or is for review."""
    try:
        return read(data).facts.review
    except UnreadableScan as error:
        return error.reason


def half(data: bytes, share: float = 0.5) -> bytes:
    written = int(len(data) * share)
    return data[:written] + bytes(len(data) - written)


@pytest.mark.parametrize("syntax", [*NATIVE, DeflatedExplicitVRLittleEndian, RLELossless, *compressed.SYNTAXES], ids=lambda uid: uid.name)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.71])
def test_a_dicom_file_that_is_half_written_is_truncated(syntax: UID, share: float) -> None:
    pixels = np.random.default_rng(1).integers(1, 255, (200, 200)).astype(np.uint8)  # large in every syntax
    assert said(half(dicom(pixels, "DX", syntax=syntax), share)) is Reason.TRUNCATED


@pytest.mark.parametrize(
    "whole",
    [
        png(FILM),
        png(GRAY),
        jpeg(FILM),
        dicom(FILM, "DX"),
        dicom(GRAY, "CR", BitsStored=12),
        dicom(np.stack([GRAY] * 5), "CT"),
        dicom(np.dstack([FILM] * 3), "DX"),
        dicom(np.dstack([FILM] * 3), "DX", PlanarConfiguration=1),
        dicom(FILM, "DX", DataSetTrailingPadding=bytes(100)),
        dicom(FILM, "DX", has_preamble=False),
    ],
    ids=lambda data: str(len(data)),
)
@pytest.mark.parametrize("share", [0.5, 0.6])
def test_whatever_its_kind(whole: bytes, share: float) -> None:
    assert said(whole) is None
    assert said(half(whole, share)) is Reason.TRUNCATED


def test_file_with_only_its_header_written_is_not_whole() -> None:
    data = dicom(GRAY, "DX")
    assert said(data[: -GRAY.nbytes] + bytes(GRAY.nbytes)) is Reason.BLANK_END


def test_file_rejected_for_its_header_is_not_called_truncated() -> None:
    data = half(dicom(GRAY, "MG"))
    assert read(data).facts.rejection is Reason.NOT_CHEST


def bordered(*, top: int = 0, bottom: int = 0, left: int = 0, right: int = 0) -> Pixels:
    pixels = np.random.default_rng(2).integers(20, 200, (256, 256)).astype(np.uint8)
    pixels[:top] = pixels[256 - bottom :] = 0
    pixels[:, :left] = pixels[:, 256 - right :] = 0
    return pixels


def round_field(radius: int, *, centre: int = 128) -> Pixels:
    y, x = np.mgrid[:256, :256]
    return np.where((x - 128) ** 2 + (y - centre) ** 2 < radius**2, bordered(), 0).astype(np.uint8)


def body() -> Pixels:
    """One without its surroundings, lying on a flat table that it touches unevenly."""
    y, x = np.mgrid[:256, :256]
    inside = ((x - 128) / 100) ** 2 + ((y - 140) / 75) ** 2 < 1
    inside[206:] = False
    inside[205, 150:] = False
    return np.where(inside, bordered(), 0).astype(np.uint8)


def turned() -> Pixels:
    """A film that was laid askew on a scanner."""
    y, x = np.mgrid[:256, :256]
    return np.where(y + x // 80 < 230, bordered(), 0).astype(np.uint8)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (lambda: bordered(), None),
        (lambda: bordered(bottom=20), None),
        (lambda: bordered(bottom=20, left=30, right=30), None),
        (lambda: bordered(bottom=60, top=60), None),
        (lambda: bordered(bottom=60, top=20, left=30), None),
        (lambda: bordered(bottom=60), Reason.BLANK_END),
        (lambda: bordered(bottom=130, right=130), Reason.BLANK_END),  # pasted into a larger canvas
        (lambda: round_field(127), None),
        (lambda: round_field(90), None),
        (lambda: round_field(90, centre=100), Reason.BLANK_END),
        (body, None),
        (turned, None),
        (lambda: np.zeros((256, 256), np.uint8), Reason.BLANK_END),
        (lambda: np.zeros((10, 256), np.uint8), None),
    ],
)
def test_intended_black_borders_are_never_called_truncated(pixels: Callable[[], Pixels], expected: Reason | None) -> None:
    assert judge(pixels()) is expected


@pytest.mark.parametrize("picture_of", [bordered, lambda: round_field(127), lambda: bordered(left=20, right=20)])
@pytest.mark.parametrize("share", [0.35, 0.5, 0.65])
def test_the_same_pictures_half_written_are(picture_of: Callable[[], Pixels], share: float) -> None:
    pixels = picture_of()
    flat = pixels.reshape(-1)
    flat[int(flat.size * share) + 128 :] = 0
    assert judge(pixels) is Reason.TRUNCATED
