"""Which end is white, and when a person should say so."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForProcessing, SecondaryCaptureImageStorage

from imaging.phantoms import phantom
from imaging.read import Image, read
from lungline.reasons import Reason
from tests.corpus.files import dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

FILM = phantom("xray", 5, side=64)
WINDOW: dict[str, Any] = {"WindowCenter": 2048, "WindowWidth": 4096}
UPRIGHT = read(dicom(FILM, "DX", **WINDOW)).pixels


def shown(*, is_negative: bool = False, modality: str = "DX", **tags: Any) -> Image:
    return read(dicom(4095 - FILM if is_negative else FILM, modality, **(WINDOW | tags)))


def table(entries: np.ndarray[Any, Any]) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries), 0, 12]
    item.add_new(0x00283006, "OW", entries.astype("<u2").tobytes())
    return item


@pytest.mark.parametrize(
    ("photometric", "shape", "is_negative", "review"),
    [
        ("MONOCHROME1", None, True, None),
        ("MONOCHROME1", "INVERSE", True, None),
        ("MONOCHROME1", "IDENTITY", False, Reason.POLARITY_IN_DOUBT),
        ("MONOCHROME2", None, False, None),
        ("MONOCHROME2", "IDENTITY", False, None),
        ("MONOCHROME2", "INVERSE", True, None),
        ("MONOCHROME1", "LIN OD", True, Reason.POLARITY_IN_DOUBT),
        ("MONOCHROME2", "inverse", False, Reason.POLARITY_IN_DOUBT),
    ],
)
@pytest.mark.parametrize("modality", ["DX", "CR"])
def test_the_shape_outranks_the_photometric_interpretation(
    photometric: str, shape: str | None, is_negative: bool, review: Reason | None, modality: str
) -> None:
    image = shown(is_negative=is_negative, modality=modality, PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    assert np.allclose(image.pixels, UPRIGHT, atol=1e-3)
    assert image.facts.review is review


def test_shape_counts_with_voi_lut_and_without_a_window() -> None:
    entries = (np.linspace(0, 1, 4096) ** 2 * 4095).astype(np.uint16)
    plain = shown(VOILUTSequence=[table(entries)]).pixels
    assert np.allclose(shown(VOILUTSequence=[table(entries)], PresentationLUTShape="INVERSE").pixels, 1 - plain)
    without: dict[str, Any] = {"WindowCenter": None, "WindowWidth": None}
    assert np.allclose(shown(**without, PresentationLUTShape="INVERSE").pixels, 1 - shown(**without).pixels)


def test_presentation_lut_is_ignored_and_doubted_if_inverting() -> None:
    rising, falling = np.arange(4096), np.arange(4096)[::-1]
    for entries, review in ((rising, None), (falling, Reason.POLARITY_IN_DOUBT)):
        image = shown(PresentationLUTSequence=[table(entries)])
        assert np.array_equal(image.pixels, UPRIGHT)
        assert image.facts.review is review


RAW: tuple[dict[str, Any], ...] = (
    {"PresentationIntentType": "FOR PROCESSING"},
    {"SOPClassUID": DigitalXRayImageStorageForProcessing, "PresentationIntentType": None},
)


@pytest.mark.parametrize("raw", RAW, ids=["intent", "SOP class"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("sign", [1, -1])
def test_detector_values_are_shown_with_dark_lungs(raw: dict[str, Any], photometric: str, sign: int) -> None:
    """Sign 1: lower values mean less X-rays, so lungs have the highest ones."""
    tags = raw | {"PhotometricInterpretation": photometric, "PixelIntensityRelationshipSign": sign, "PixelIntensityRelationship": "LOG"}
    image = shown(is_negative=sign == 1, **tags)
    assert np.allclose(image.pixels, UPRIGHT, atol=1e-3)
    agrees = (photometric == "MONOCHROME1") == (sign == 1)
    assert image.facts.review is (None if agrees else Reason.POLARITY_IN_DOUBT)


@pytest.mark.parametrize("sign", [None, 0, 7])
def test_detector_values_without_a_sign_are_in_doubt(sign: int | None) -> None:
    image = shown(PresentationIntentType="FOR PROCESSING", PixelIntensityRelationshipSign=sign)
    assert np.array_equal(image.pixels, UPRIGHT)
    assert image.facts.review is Reason.POLARITY_IN_DOUBT


def test_linear_detector_values_are_for_review_even_upright() -> None:
    """Three of five real films changed their finding when their values were made linear."""
    tags: dict[str, Any] = {"PhotometricInterpretation": "MONOCHROME1", "PixelIntensityRelationshipSign": 1}
    for intent, relationship, review in (
        ("FOR PROCESSING", "LIN", Reason.POLARITY_IN_DOUBT),
        ("FOR PROCESSING", "LOG", None),
        ("FOR PRESENTATION", "LIN", None),
    ):
        image = shown(is_negative=True, PresentationIntentType=intent, PixelIntensityRelationship=relationship, **tags)
        assert np.allclose(image.pixels, UPRIGHT, atol=1e-3)
        assert image.facts.review is review


def test_the_sign_is_no_matter_where_a_film_is_for_presentation() -> None:
    for sign in (1, -1):
        image = shown(PresentationIntentType="FOR PRESENTATION", PixelIntensityRelationshipSign=sign)
        assert np.array_equal(image.pixels, UPRIGHT)
        assert image.facts.review is None


@pytest.mark.parametrize("tags", [{"PhotometricInterpretation": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"}])
def test_a_negative_of_a_ct_slice_is_for_review(tags: dict[str, Any]) -> None:
    slice_ = phantom("ct", 5, side=64)
    upright, negative = read(dicom(slice_, "CT")), read(dicom(slice_, "CT", **tags))
    assert np.allclose(negative.pixels, 1 - upright.pixels)
    assert (upright.facts.review, negative.facts.review) == (None, Reason.POLARITY_IN_DOUBT)


def test_colour_has_no_polarity() -> None:
    colour = np.dstack([FILM >> 4] * 3).astype(np.uint8)
    image = read(dicom(colour, "OT", PresentationLUTShape="INVERSE", SOPClassUID=SecondaryCaptureImageStorage))
    assert np.allclose(image.pixels, (FILM >> 4) / 255, atol=1e-3)
    assert image.facts.review is None
