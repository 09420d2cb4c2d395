"""Which CT headers are of axial slices, and by which reason others are turned away or looked at."""

from typing import Any

import pytest
from pydicom.uid import EnhancedCTImageStorage, MultiFrameGrayscaleByteSecondaryCaptureImageStorage, SecondaryCaptureImageStorage

from imaging.header import facts
from imaging.slices import rejection, review
from lungline.findings import Modality
from lungline.reasons import Reason
from tests.unit.imaging.headers import AXIAL, CORONAL, SAGITTAL, code, frames, header, item

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def kind(value: str) -> list[str]:
    return value.split("\\")


def rejected(image_type: str, orientation: list[float] | None = None, **tags: Any) -> Reason | None:
    return rejection(header("CT", ImageType=kind(image_type), ImageOrientationPatient=orientation, **tags))


@pytest.mark.parametrize(
    ("image_type", "orientation"),
    [
        (r"ORIGINAL\PRIMARY\AXIAL", AXIAL),
        (r"ORIGINAL\PRIMARY\AXIAL", None),
        (r"ORIGINAL\PRIMARY", None),
        (r"ORIGINAL\PRIMARY\AXIAL\CT_SOM5 SPI", AXIAL),
        (r"ORIGINAL\PRIMARY\AXIAL\CT_SOM7 SPI DUAL\STD\DET_AB", AXIAL),
        (r"ORIGINAL\PRIMARY\AXIAL\HELIX", AXIAL),
        (r"ORIGINAL\SECONDARY\AXIAL", AXIAL),
        (r"ORIGINAL\PRIMARY\AXIAL\LOW DOSE", AXIAL),
        (r"ORIGINAL\PRIMARY\AXIAL\CHEST PROTOCOL", AXIAL),
        (r"DERIVED\PRIMARY\AXIAL\AVERAGE", AXIAL),
        (r"DERIVED\PRIMARY\AXIAL\AVERAGE", None),
        (r"DERIVED\SECONDARY\REFORMATTED\AVERAGE", AXIAL),
        (r"DERIVED\SECONDARY\MPR\CSA MPR", AXIAL),
        (r"DERIVED\SECONDARY\AXIAL", None),
        (r"DERIVED\SECONDARY", AXIAL),
        (r"DERIVED\SECONDARY\OTHER", None),
        (r"DERIVED\PRIMARY\AXIAL\VMI", AXIAL),
        (r"ORIGINAL\PRIMARY\AXIAL", [1, 0, 0, 0, 0.9272, -0.3746]),
        (r"ORIGINAL\PRIMARY\AXIAL", [0, 0, 0, 0, 0, 0]),
    ],
)
def test_axial_slices_are_read(image_type: str, orientation: list[float] | None) -> None:
    dataset = header("CT", ImageType=kind(image_type), ImageOrientationPatient=orientation)
    assert (rejection(dataset), review(dataset)) == (None, None)


@pytest.mark.parametrize(
    ("image_type", "orientation"),
    [
        (r"DERIVED\SECONDARY\REFORMATTED", CORONAL),
        (r"DERIVED\SECONDARY\MPR", SAGITTAL),
        (r"ORIGINAL\PRIMARY\AXIAL", CORONAL),
        (r"ORIGINAL\PRIMARY\AXIAL", [1, 0, 0, 0, 0.7, -0.7]),
        (r"ORIGINAL\PRIMARY\AXIAL", [2, 0, 0, 0, 0, -3]),
        (r"DERIVED\PRIMARY\VOLUME\NONE", [0.7, 0.7, 0, 0, 0, -1]),
        (r"DERIVED\SECONDARY\MPR", None),
        (r"DERIVED\SECONDARY\REFORMATTED", [0, 0, 0, 0, 0, 0]),
        (r"DERIVED\SECONDARY\CORONAL", None),
        (r"DERIVED\SECONDARY\CURVED_MPR", AXIAL),
        (r"DERIVED\SECONDARY\REFORMATTED\MAX_IP", CORONAL),
    ],
)
def test_other_planes_are_not_axial(image_type: str, orientation: list[float] | None) -> None:
    assert rejected(image_type, orientation) is Reason.NOT_AXIAL


@pytest.mark.parametrize(
    ("image_type", "orientation"),
    [
        (r"ORIGINAL\PRIMARY\LOCALIZER", AXIAL),
        (r"ORIGINAL\PRIMARY\SCOUT", None),
        (r"ORIGINAL\PRIMARY\LOCALISER", CORONAL),
        (r"ORIGINAL\PRIMARY\TOPOGRAM\CT_SOM5 TOP", CORONAL),
        (r"ORIGINAL\PRIMARY", CORONAL),
        (r"ORIGINAL\PRIMARY\OTHER", SAGITTAL),
    ],
)
def test_scouts_are_not_frontal(image_type: str, orientation: list[float] | None) -> None:
    assert rejected(image_type, orientation) is Reason.NOT_FRONTAL


def test_acquired_scout_is_a_scout_whatever_its_image_type() -> None:
    assert rejected(r"ORIGINAL\PRIMARY\AXIAL", CORONAL, ScanOptions="SCOUT MODE") is Reason.NOT_FRONTAL
    assert rejected(r"ORIGINAL\PRIMARY\AXIAL", AXIAL, ScanOptions="HELICAL MODE") is None


@pytest.mark.parametrize(
    "image_type",
    [
        r"DERIVED\SECONDARY\SCREEN SAVE",
        r"DERIVED\SECONDARY\SCREEN_SAVE\AVERAGE",
        r"DERIVED\SECONDARY\SCREENSHOT",
        r"DERIVED\SECONDARY\DOSE_INFO",
        r"DERIVED\SECONDARY\OTHER\DOSE REPORT",
        r"DERIVED\SECONDARY\OTHER\CT_SOM5 PROT",
        r"DERIVED\SECONDARY\VRT",
        r"DERIVED\SECONDARY\SNAPSHOT",
        r"DERIVED\SECONDARY\3D",
        r"DERIVED\SECONDARY\VOLUME_RENDERING",
        r"DERIVED\SECONDARY\DISPLAY\FILMING\EFILM",
    ],
)
def test_screens_are_no_chest(image_type: str) -> None:
    assert rejected(image_type, AXIAL) is Reason.NOT_CHEST
    assert rejected(image_type) is Reason.NOT_CHEST


@pytest.mark.parametrize("sop_class", [SecondaryCaptureImageStorage, MultiFrameGrayscaleByteSecondaryCaptureImageStorage])
def test_derived_secondary_ct_is_a_screen_and_others_doubted(sop_class: str) -> None:
    assert rejected(r"DERIVED\SECONDARY", SOPClassUID=sop_class) is Reason.NOT_CHEST
    assert rejected(r"ORIGINAL\PRIMARY", SOPClassUID=sop_class, BurnedInAnnotation="YES") is Reason.NOT_CHEST
    assert rejected(r"DERIVED\SECONDARY\AXIAL", SOPClassUID=sop_class) is None
    assert rejected(r"ORIGINAL\PRIMARY\AXIAL", SOPClassUID=sop_class) is None
    assert rejected(r"DERIVED\SECONDARY\AXIAL", CORONAL, SOPClassUID=sop_class) is Reason.NOT_AXIAL


def test_burned_in_words_make_a_secondary_image_a_screen() -> None:
    assert rejected(r"DERIVED\SECONDARY\AXIAL", AXIAL, BurnedInAnnotation="YES") is Reason.NOT_CHEST
    assert rejected(r"ORIGINAL\PRIMARY\AXIAL", AXIAL, BurnedInAnnotation="YES") is None


@pytest.mark.parametrize(
    ("derivation", "expected"), [("113074", Reason.NOT_CHEST), ("113075", Reason.NOT_CHEST), ("113073", Reason.NOT_AXIAL), ("113072", None)]
)
def test_coded_derivations_count(derivation: str, expected: Reason | None) -> None:
    assert rejected(r"DERIVED\SECONDARY", AXIAL, DerivationCodeSequence=[code(derivation, "DCM")]) is expected


@pytest.mark.parametrize(
    "tags",
    [
        *({"ImageType": kind(rf"DERIVED\SECONDARY\{word}")} for word in ("MIP", "MINIP", "AXIAL\\MAX_IP", "MPR MIP", "PROJECTION IMAGE")),
        {"ImageType": kind(r"DERIVED\PRIMARY\AXIAL\CT_SOM5 MIP")},
        {"ImageType": kind(r"DERIVED\SECONDARY\REFORMATTED\MIN_IP")},
        {"DerivationCodeSequence": [code("113078", "DCM")]},
        {"SeriesDescription": "Lung MIP 8mm"},
        {"DerivationDescription": "Minimum Intensity Projection"},
    ],
)
def test_projections_are_for_review_at_most(tags: dict[str, Any]) -> None:
    dataset = header("CT", ImageOrientationPatient=AXIAL, **tags)
    assert (rejection(dataset), review(dataset)) == (None, Reason.PROJECTION)


@pytest.mark.parametrize(
    ("description", "orientation", "expected"),
    [
        ("Thorax coronal 3mm", None, Reason.VIEW_IN_DOUBT),
        ("Scout", None, Reason.VIEW_IN_DOUBT),
        ("Chest sagittal", AXIAL, None),
        ("Angio Cor 0.75", None, None),
    ],
)
def test_free_text_casts_doubt_where_the_plane_is_unknown(description: str, orientation: Any, expected: Reason | None) -> None:
    dataset = header("CT", ImageType=kind(r"ORIGINAL\PRIMARY"), ImageOrientationPatient=orientation, SeriesDescription=description)
    assert (rejection(dataset), review(dataset)) == (None, expected)


def test_enhanced_frames_are_judged_by_their_own_headers() -> None:
    def macros(orientation: list[float], frame_type: str, technique: str = "NONE") -> dict[str, Any]:
        return {
            "PlaneOrientationSequence": item(ImageOrientationPatient=orientation),
            "CTImageFrameTypeSequence": item(FrameType=kind(frame_type), VolumeBasedCalculationTechnique=technique),
        }

    dataset = header(
        "CT",
        SOPClassUID=EnhancedCTImageStorage,
        ImageType=["MIXED", "PRIMARY", "VOLUME", "MIXED"],
        PerFrameFunctionalGroupsSequence=frames(
            macros(AXIAL, r"ORIGINAL\PRIMARY\VOLUME\NONE"),
            macros(CORONAL, r"ORIGINAL\PRIMARY\LOCALIZER\NONE"),
            macros(CORONAL, r"DERIVED\PRIMARY\VOLUME\NONE", "MPR"),
            macros(AXIAL, r"DERIVED\PRIMARY\VOLUME\NONE", "MAX_IP"),
            macros(AXIAL, r"DERIVED\PRIMARY\VOLUME\NONE", "VOLUME_RENDER"),
            macros(AXIAL, r"DERIVED\PRIMARY\VOLUME\RESAMPLED", "CURVED_MPR"),
            macros(AXIAL, r"DERIVED\PRIMARY\VOLUME\MEAN", "MPR"),
        ),
    )
    found = [facts(dataset, frame) for frame in range(1, 8)]
    assert [result.rejection for result in found] == [
        *(None, Reason.NOT_FRONTAL, Reason.NOT_AXIAL, None, Reason.NOT_CHEST, Reason.NOT_AXIAL, None)
    ]
    assert [result.review for result in found if result.rejection is None] == [None, Reason.PROJECTION, None]


def test_a_shared_acquisition_at_a_constant_angle_is_a_scout() -> None:
    shared = frames({"CTAcquisitionTypeSequence": item(AcquisitionType="CONSTANT_ANGLE")})
    assert rejected(r"ORIGINAL\PRIMARY\VOLUME\NONE", SharedFunctionalGroupsSequence=shared) is Reason.NOT_FRONTAL


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, None),
        ({"ImageOrientationPatient": AXIAL}, None),
        ({"ImageOrientationPatient": CORONAL}, Reason.NOT_AXIAL),
        ({"ImageType": kind(r"DERIVED\SECONDARY\SCREEN SAVE")}, Reason.NOT_CHEST),
        ({"ImageType": kind(r"ORIGINAL\PRIMARY\LOCALIZER")}, Reason.NOT_FRONTAL),
        ({"ImageType": kind(r"DERIVED\SECONDARY"), "BurnedInAnnotation": "YES"}, None),
    ],
)
@pytest.mark.parametrize("modality", ["OT", "SC"])
def test_picture_of_no_modality_is_refused_only_if_plain(modality: str, tags: dict[str, Any], expected: Reason | None) -> None:
    assert facts(header(modality, **tags)).rejection is expected


def test_a_ct_that_lost_its_modality_is_a_ct() -> None:
    found = facts(header("CT", Modality=None, ImageOrientationPatient=CORONAL))
    assert (found.modality, found.rejection) == (Modality.CT, Reason.NOT_AXIAL)
