"""What the values of a CT image mean: Hounsfield units, a rendering's grays, or another unit (DICOM PS3.3 C.11.1.1.2)."""

from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from imaging import tags

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


class Unit(Enum):
    """What the values of a CT image mean."""

    HOUNSFIELD = auto()
    RENDERING = auto()
    """Grays for a screen: windowed already, or never a measure."""
    OTHER = auto()
    """An atomic number, a density, a share of a material …"""


# Secondary Capture, and its multi-frame kinds of single bits, bytes, words and colour: all are pictures of what was shown.
CAPTURES: Final = frozenset({"1.2.840.10008.5.1.4.1.1.7", *(f"1.2.840.10008.5.1.4.1.1.7.{kind}" for kind in range(1, 5))})
USUAL_OFFSET: Final = -1024.0
"""From unsigned values without a rescale to Hounsfield units, as nearly all scanners store them."""

# Rescale Type and Modality LUT Type. HU_MOD are Hounsfield units from which a material was taken away: not what a lung is.
_OTHER: Final = frozenset({"OD", "MGML", "Z EFF", "ED", "EDW", "HU MOD", "PCT"})
# Image Type, value 4 and on (C.8.2.1.1.1 and C.8.16.1.4), and what makers write.
# Virtual monoenergetic images (VMI) are not among them: they are in Hounsfield units.
_MAPS: Final = frozenset(
    {
        *("EFF ATOMIC NUM", "Z EFF", "ZEFF", "Z EFFECTIVE", "ELECTRON DENSITY", "MAT SPECIFIC", "MAT REMOVED", "MAT FRACTIONAL"),
        *("MAT MODIFIED", "MAT VALUE BASED", "SUBTRACTION", "DIVISION", "MULTIPLICATION", "STD DEVIATION"),
    }
)
# Values that never come below this hold no lung and no air.
_LUNG: Final = -500.0
_DARK, _BRIGHT = 0.01, 0.95
_AIR_MAX, _TISSUE_MAX = 300, 3000
_SAMPLE: Final = 250_000


def unit(dataset: "Dataset", frame: int = 1) -> Unit:
    """What the values of a frame (from 1) of an object with the modality CT mean, as its header tells.

    Rescale Type may be absent for Hounsfield units (C.8.2.1). Where it is `US` (unspecified) or no defined term, as exports write it beside
    the usual slope and intercept, the rescale itself must show that values reach from air upwards.
    """
    image_type = tags.words(tags.macro(dataset, frame, "CTImageFrameTypeSequence"), "FrameType") or tags.words(dataset, "ImageType")
    if tags.text(dataset, "SOPClassUID") in CAPTURES or tags.whole(dataset, "SamplesPerPixel", 1) != 1:
        return Unit.RENDERING
    table = tags.items(dataset, "ModalityLUTSequence")[:1]
    rescale = tags.macro(dataset, frame, "PixelValueTransformationSequence")
    named = tags.words(table[0], "ModalityLUTType") if table else tags.words(rescale, "RescaleType")
    if _OTHER.intersection(named) or _MAPS.intersection(image_type):
        return Unit.OTHER
    is_byte = tags.whole(dataset, "BitsStored", 16) <= 8
    if table:
        return Unit.RENDERING if is_byte else Unit.HOUNSFIELD
    slope, intercept = _rescale(rescale)
    if min(stored * slope + intercept for stored in _extremes(dataset)) <= _LUNG:
        return Unit.HOUNSFIELD
    if is_byte:
        return Unit.RENDERING
    return Unit.HOUNSFIELD if (slope, intercept) == (1.0, 0.0) else Unit.OTHER


def hounsfield(values: npt.NDArray[Any], padding: npt.NDArray[np.bool_] | None) -> npt.NDArray[Any] | None:
    """Hounsfield units of modality values that are known to be some; None if they cannot be after all.

    Values that cannot be negative, as of an export that lost the rescale, get the usual offset if the darkest are near 0, as air is then.
    """
    if not np.issubdtype(values.dtype, np.unsignedinteger):
        return values
    seen = values.ravel() if padding is None or padding.all() else values[~padding]
    seen = seen[:: max(1, seen.size // _SAMPLE)]
    edges = [int(share * (seen.size - 1)) for share in (_DARK, _BRIGHT)]
    dark, bright = (float(value) for value in np.partition(seen, edges)[edges])
    if dark > _AIR_MAX or bright > _TISSUE_MAX:
        return None
    floats: npt.NDArray[Any] = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    return floats + USUAL_OFFSET


def _rescale(item: "Dataset") -> tuple[float, float]:
    """Slope and intercept; a slope of 0 counts as none."""
    slope, intercept = tags.numbers(item, "RescaleSlope")[:1], tags.numbers(item, "RescaleIntercept")[:1]
    return (slope[0] if slope and slope[0] else 1.0), (intercept[0] if intercept else 0.0)


def _extremes(dataset: "Dataset") -> tuple[float, float]:
    """The least and the greatest value that can be stored."""
    bits = tags.whole(dataset, "BitsStored", 16)
    if tags.whole(dataset, "PixelRepresentation", 0):
        return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    return 0.0, 2.0**bits - 1
