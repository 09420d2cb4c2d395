"""A CT in one multi-frame object: each frame is a slice of its own, with the facts of its functional groups."""

import numpy as np
import pytest
from pydicom.uid import UID, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

from imaging.acquisition import Derivation, Sharpness
from imaging.geometry import Plane
from imaging.phantoms import phantom
from imaging.read import read
from tests.corpus.files import dicom
from tests.unit.imaging.headers import frames, item

SLICES = 3
SHARED = frames(
    {
        "PlaneOrientationSequence": item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        "PixelMeasuresSequence": item(SliceThickness=1.25, SpacingBetweenSlices=1.0, PixelSpacing=[0.7, 0.7]),
        "PixelValueTransformationSequence": item(RescaleIntercept=-1024, RescaleSlope=1, RescaleType="HU"),
        "CTReconstructionSequence": item(ConvolutionKernel="LUNG"),
        "CTImageFrameTypeSequence": item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]),
    }
)


@pytest.mark.parametrize("kind", [EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage])
def test_each_frame_has_a_position_of_its_own(kind: UID) -> None:
    stack = np.stack([phantom("ct", number, side=64) for number in range(SLICES)])
    positions = frames(
        *({"PlanePositionSequence": item(ImagePositionPatient=[-150, -150, 40.0 - 7.5 * number])} for number in range(SLICES))
    )
    data = dicom(
        stack,
        "CT",
        SOPClassUID=kind,
        SharedFunctionalGroupsSequence=SHARED,
        PerFrameFunctionalGroupsSequence=positions,
        RescaleIntercept=None,
        RescaleSlope=None,
    )

    images = [read(data, frame) for frame in range(1, SLICES + 1)]

    found = [image.facts.acquisition for image in images]
    assert [slice_.slice_position_mm for slice_ in found] == [40.0, 32.5, 25.0]
    assert [slice_.instance_number for slice_ in found] == [1, 2, 3]
    assert {slice_.slices_expected for slice_ in found} == {SLICES}
    assert {(slice_.orientation, slice_.slice_thickness_mm, slice_.slice_spacing_mm) for slice_ in found} == {(Plane.AXIAL, 1.25, 1.0)}
    assert {(slice_.kernel, slice_.derivation) for slice_ in found} == {(Sharpness.SHARP, Derivation.ORIGINAL)}
    assert all(image.facts.rejection is None for image in images)
    assert not np.array_equal(images[0].pixels, images[2].pixels)
