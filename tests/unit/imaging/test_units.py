"""What is Hounsfield, what is a rendering, and what is another unit."""

from typing import Any

import numpy as np
import pytest
from pydicom.uid import (
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameSingleBitSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from imaging.header import facts
from imaging.phantoms import phantom
from imaging.read import read
from imaging.units import Unit, unit
from imaging.window import lung
from lungline.findings import Modality
from lungline.reasons import Reason
from tests.corpus.files import dicom
from tests.unit.imaging.headers import frames, header, item

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

CAPTURES = (
    SecondaryCaptureImageStorage,
    MultiFrameSingleBitSecondaryCaptureImageStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
)
UNITS = phantom("ct", 4).astype(np.int32) - 1024
GRAYS = (lung(UNITS) * 255).astype(np.uint8)
BYTES = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
SIGNED = {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15}


@pytest.mark.parametrize("named", ["Z_EFF", "ED", "EDW", "OD", "MGML", "HU_MOD", "PCT", "z_eff"])
def test_another_unit_is_refused_by_name(named: str) -> None:
    found = facts(header("CT", RescaleType=named))
    assert (found.modality, found.rejection) == (Modality.CT, Reason.NOT_HOUNSFIELD)


@pytest.mark.parametrize("kind", ["EFF_ATOMIC_NUM", "ELECTRON_DENSITY", "MAT_SPECIFIC", "SUBTRACTION"])
def test_a_map_of_something_else_is_refused_by_its_image_type(kind: str) -> None:
    assert unit(header("CT", ImageType=["DERIVED", "PRIMARY", "AXIAL", kind])) is Unit.OTHER


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, Unit.HOUNSFIELD),
        ({"RescaleType": "HU"}, Unit.HOUNSFIELD),
        ({"RescaleType": "US"}, Unit.HOUNSFIELD),
        ({"RescaleType": "UNSPECIFIED"}, Unit.HOUNSFIELD),
        ({"RescaleType": "Hounsfield Units", "RescaleIntercept": -1000}, Unit.HOUNSFIELD),
        ({"RescaleType": "US", "RescaleIntercept": 0, **SIGNED}, Unit.HOUNSFIELD),
        ({"RescaleType": "US", "RescaleIntercept": -8192, "RescaleSlope": "0.25"}, Unit.HOUNSFIELD),
        ({"RescaleType": "US", "RescaleIntercept": 0, "RescaleSlope": "0.1"}, Unit.OTHER),
        ({"RescaleType": "US", "RescaleIntercept": 0, "RescaleSlope": "0.001", **SIGNED}, Unit.OTHER),
        ({"RescaleIntercept": 0, "RescaleSlope": "0.1"}, Unit.OTHER),
        ({"RescaleIntercept": 3071, "RescaleSlope": -1}, Unit.HOUNSFIELD),
        ({"RescaleIntercept": 0}, Unit.HOUNSFIELD),
        ({"RescaleIntercept": 0, "RescaleSlope": 0}, Unit.HOUNSFIELD),
        ({"RescaleIntercept": None, "RescaleSlope": None}, Unit.HOUNSFIELD),
        ({"RescaleIntercept": 0, **BYTES}, Unit.RENDERING),
        ({"RescaleIntercept": None, "RescaleSlope": None, **BYTES}, Unit.RENDERING),
        ({"RescaleIntercept": 0, "RescaleType": "US", **BYTES}, Unit.RENDERING),
        ({"RescaleIntercept": 0, "RescaleType": "HU", **BYTES}, Unit.RENDERING),
        ({"RescaleIntercept": -1024, "RescaleSlope": 8, **BYTES}, Unit.HOUNSFIELD),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", **BYTES}, Unit.RENDERING),
    ],
)
def test_the_rescale_tells_what_values_mean(tags: dict[str, Any], expected: Unit) -> None:
    assert unit(header("CT", **tags)) is expected


@pytest.mark.parametrize("sop_class", CAPTURES)
def test_all_secondary_captures_are_renderings(sop_class: str) -> None:
    found = facts(header("CT", SOPClassUID=sop_class))
    assert (found.modality, found.captured, found.rejection) == (None, Modality.CT, None)
    assert facts(header("CR", SOPClassUID=sop_class)).modality is Modality.XRAY


def test_each_frame_has_its_own_unit() -> None:
    macros = [
        {"PixelValueTransformationSequence": item(RescaleIntercept=intercept, RescaleSlope=slope, RescaleType=named)}
        for intercept, slope, named in ((-1024, 1, "HU"), (0, "0.1", "Z_EFF"))
    ]
    dataset = header("CT", PerFrameFunctionalGroupsSequence=frames(*macros))
    assert [facts(dataset, frame).rejection for frame in (1, 2)] == [None, Reason.NOT_HOUNSFIELD]


@pytest.mark.parametrize(
    "tags",
    [
        *({"SOPClassUID": capture, "RescaleIntercept": 0, "RescaleType": "US"} for capture in (CAPTURES[0], CAPTURES[2])),
        {"RescaleIntercept": 0},
        {"RescaleIntercept": None, "RescaleSlope": None},
    ],
)
def test_a_rendering_of_bytes_stands_as_it_was_rendered(tags: dict[str, Any]) -> None:
    image = read(dicom(GRAYS, "CT", **tags))
    assert np.allclose(image.pixels, GRAYS / 255)
    assert (image.facts.modality, image.facts.captured) == (None, Modality.CT)


@pytest.mark.parametrize("tags", [{}, {"RescaleType": "US"}, {"RescaleSlope": None, "RescaleIntercept": None}])
def test_unsigned_values_with_air_near_0_have_the_usual_offset(tags: dict[str, Any]) -> None:
    image = read(dicom((UNITS + 1024).astype(np.uint16), "CT", **({"RescaleIntercept": 0} | tags)))
    assert np.allclose(image.pixels, lung(UNITS))
    assert image.facts.modality is Modality.CT


def test_unsigned_values_without_hounsfield_units_use_a_window() -> None:
    stretched = (lung(UNITS) * 65535).astype(np.uint16)
    image = read(dicom(stretched, "CT", RescaleIntercept=0, WindowCenter=32768, WindowWidth=65536))
    assert np.allclose(image.pixels, lung(UNITS), atol=1e-3)


def test_a_modality_lut_may_name_another_unit() -> None:
    table = item(LUTDescriptor=[4096, 0, 16], ModalityLUTType="Z_EFF")
    table.add_new(0x00283006, "OW", np.arange(4096, dtype="<u2").tobytes())
    dataset = header("CT", ModalityLUTSequence=[table])
    assert unit(dataset) is Unit.OTHER
    dataset.ModalityLUTSequence[0].ModalityLUTType = "HU"
    assert unit(dataset) is Unit.HOUNSFIELD
