"""In which plane of the body a slice lies, by its Image Orientation (Patient) (DICOM PS3.3 C.7.6.2.1.1)."""

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from imaging import tags

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


class Plane(StrEnum):
    """Which axis of the body a slice's normal runs along."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"
    OBLIQUE = "oblique"
    UNKNOWN = "unknown"


# A gantry is tilted by up to some 25 degrees; what it makes are still axial slices.
TILT_MAX_DEGREES: Final = 25.0
_ALONG_AXIS: Final = math.cos(math.radians(TILT_MAX_DEGREES)) - 1e-4  # cosines are written with a few digits
_SQUARE: Final = 0.1  # the cosine between rows and columns, which are at right angles but for rounding
# x runs to the patient's left, y to the back, z to the head.
_PLANES: Final = (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)


def plane(dataset: "Dataset", frame: int = 1) -> Plane:
    """The plane of a frame (from 1): of its own or shared functional groups (C.7.6.16.2.4), else of the whole object.

    Unknown where the header has no orientation, or none that could be: not six numbers, a vector without length, rows along columns.
    """
    return of_cosines(tags.numbers(tags.macro(dataset, frame, "PlaneOrientationSequence"), "ImageOrientationPatient"))


def of_cosines(cosines: list[float]) -> Plane:
    """The plane of rows (the first three cosines) and columns (the others); vectors need not have the length 1."""
    if len(cosines) != 6:
        return Plane.UNKNOWN
    rows, columns = np.array(cosines[:3]), np.array(cosines[3:])
    lengths = np.linalg.norm(rows), np.linalg.norm(columns)
    if min(lengths) < 1e-3 or max(lengths) > 1e6:
        return Plane.UNKNOWN
    rows, columns = rows / lengths[0], columns / lengths[1]
    if abs(float(rows @ columns)) > _SQUARE:
        return Plane.UNKNOWN
    normal = np.abs(np.cross(rows, columns))
    normal /= np.linalg.norm(normal)
    axis = int(normal.argmax())
    return _PLANES[axis] if normal[axis] >= _ALONG_AXIS else Plane.OBLIQUE
