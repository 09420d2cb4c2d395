"""How a CT slice was made and where it lies in its series, as the header says: what a series is put together by."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from imaging import slices, tags
from imaging.geometry import Plane, plane

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


class Sharpness(StrEnum):
    """What a reconstruction kernel favours."""

    SMOOTH = "smooth"
    """Soft tissue, little noise."""
    MEDIUM = "medium"
    SHARP = "sharp"
    """Lung and bone, fine detail."""


class Derivation(StrEnum):
    """Image Type (0008,0008), value 1, and whether the slice is a projection through several (PS3.3 C.7.6.1.1.2, C.8.16.1)."""

    ORIGINAL = "original"
    DERIVED = "derived"
    PROJECTION = "projection"


@dataclass(frozen=True)
class Acquisition:
    """Facts of one slice, None where the header does not tell."""

    instance_number: int | None = None
    """Instance Number (0020,0013); of a multi-frame object the number of the frame, from 1."""
    orientation: Plane = Plane.UNKNOWN
    slice_position_mm: float | None = None
    """Along the slice's normal, growing towards head, back or left; by Slice Location where position or orientation are missing."""
    slice_thickness_mm: float | None = None
    slice_spacing_mm: float | None = None
    """Between the centres of two neighbours."""
    kernel: Sharpness | None = None
    derivation: Derivation | None = None
    acquisition: int | None = None
    """Acquisition Number (0020,0012): slices of one run of the scanner share it."""
    slices_expected: int | None = None
    """How many images the header says that there are."""


_LONGEST_MM: Final = 5000.0  # no patient table is longer: what lies beyond is a malformed header
_LARGEST_NUMBER: Final = 2**31 - 1  # IS, PS3.5 6.2

# Siemens: B31f, Br40d, Bl57, I50f; its number grows with sharpness. GE: words. Canon: FC with a number. Philips: letters.
_SIEMENS: Final = re.compile(r"(?:[A-Z][A-Z]?|QR|HC)\s*(\d{2})[A-Z]?\b")
_CANON: Final = re.compile(r"F[CL]\s*(\d{2})\b")
_KERNEL_WORDS: Final = {
    **dict.fromkeys(("SOFT", "SMOOTH", "A", "B", "XRES STD"), Sharpness.SMOOTH),
    **dict.fromkeys(("STANDARD", "STND", "STD", "CHST", "CHEST", "C", "YA"), Sharpness.MEDIUM),
    **dict.fromkeys(("LUNG", "BONE", "BONEPLUS", "BONE PLUS", "EDGE", "DETAIL", "ULTRA", "D", "E", "L", "YB", "YC", "YD"), Sharpness.SHARP),
}


def acquisition(dataset: "Dataset", frame: int, frames: int) -> Acquisition:
    """The facts of a frame (from 1) of an object with so many frames. Never raises: what is missing or malformed is None.

    Position, thickness and kernel come from the frame's functional groups where it has some (PS3.3 C.7.6.16.2), as in Enhanced CT.
    """
    measures = tags.macro(dataset, frame, "PixelMeasuresSequence")
    kernel = tags.words(tags.macro(dataset, frame, "CTReconstructionSequence"), "ConvolutionKernel")
    return Acquisition(
        instance_number=frame if frames > 1 else _number(dataset, "InstanceNumber"),
        orientation=plane(dataset, frame),
        slice_position_mm=position(dataset, frame),
        slice_thickness_mm=_length(measures, "SliceThickness"),
        slice_spacing_mm=_length(measures, "SpacingBetweenSlices"),
        kernel=sharpness(kernel[0] if kernel else ""),
        derivation=_derivation(dataset, frame),
        acquisition=_number(tags.macro(dataset, frame, "FrameContentSequence"), "FrameAcquisitionNumber")
        or _number(dataset, "AcquisitionNumber"),
        slices_expected=_expected(dataset, frames),
    )


def position(dataset: "Dataset", frame: int = 1) -> float | None:
    """Where a slice lies along its own normal, in mm: Image Position (Patient) on the normal (C.7.6.2.1.1), else Slice Location.

    The normal points to the head, the back or the left, whichever is nearest, so that two series of one patient compare.
    """
    cosines = tags.numbers(tags.macro(dataset, frame, "PlaneOrientationSequence"), "ImageOrientationPatient")
    corner = tags.numbers(tags.macro(dataset, frame, "PlanePositionSequence"), "ImagePositionPatient")
    if len(cosines) == 6 and len(corner) == 3:
        normal = np.cross(cosines[:3], cosines[3:])
        if (length := float(np.linalg.norm(normal))) > 1e-3:
            normal = normal / length * np.sign(normal[np.abs(normal).argmax()])
            return _within(float(np.dot(corner, normal)))
    found = tags.numbers(dataset, "SliceLocation")
    return _within(found[0]) if found and frame == 1 else None


def sharpness(kernel: str) -> Sharpness | None:
    """The class of a Convolution Kernel (0018,1210), given in upper case; None for one of a name that is not known."""
    if found := _KERNEL_WORDS.get(kernel):
        return found
    if canon := _CANON.match(kernel):
        number = int(canon[1])
        is_sharp = 30 <= number < 40 or 50 <= number < 60 or number >= 80
        return Sharpness.SHARP if is_sharp else Sharpness.MEDIUM
    if siemens := _SIEMENS.match(kernel):
        number = int(siemens[1])
        return Sharpness.SMOOTH if number < 40 else Sharpness.MEDIUM if number < 50 else Sharpness.SHARP
    return None


def _derivation(dataset: "Dataset", frame: int) -> Derivation | None:
    if slices.is_projection(dataset, frame):
        return Derivation.PROJECTION
    words = tags.words(tags.macro(dataset, frame, "CTImageFrameTypeSequence"), "FrameType") or tags.words(dataset, "ImageType")
    return {"ORIGINAL": Derivation.ORIGINAL, "DERIVED": Derivation.DERIVED}.get(words[0] if words else "")


def _expected(dataset: "Dataset", frames: int) -> int | None:
    said = (_number(dataset, keyword) for keyword in ("NumberOfSeriesRelatedInstances", "ImagesInAcquisition"))
    return frames if frames > 1 else next((number for number in said if number), None)


def _number(dataset: "Dataset", keyword: str) -> int | None:
    found = tags.numbers(dataset, keyword)
    return int(found[0]) if found and 0 <= found[0] <= _LARGEST_NUMBER else None


def _length(dataset: "Dataset", keyword: str) -> float | None:
    found = tags.numbers(dataset, keyword)
    return abs(found[0]) if found and 0 < abs(found[0]) <= _LONGEST_MM else None


def _within(millimetres: float) -> float | None:
    return round(millimetres, 3) if abs(millimetres) <= _LONGEST_MM else None
