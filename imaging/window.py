"""From stored pixel values to gray: modality LUT, then lung window or VOI LUT, then polarity and padding (DICOM PS3.3 C.11.1, C.11.2)."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from imaging import lut, padding, polarity, tags
from imaging.units import hounsfield

Gray = npt.NDArray[np.float32]

# The lung window, in Hounsfield units: as radiologists look at lungs.
LUNG_CENTRE: Final = -600.0
LUNG_WIDTH: Final = 1500.0
# Where a radiograph has no window: the shares of its pixels that become black and white, so that a marker's lead letter
# or the collimator's edge does not set the contrast.
_DARKEST: Final = 0.005
_BRIGHTEST: Final = 0.995
# A window that leaves less is not believed. Real ones left at least 10% of their film between black and white, and an eighth of the grays.
_BETWEEN_MIN: Final = 0.02
_CONTRAST_MIN: Final = 0.05
_WINDOWS_MAX: Final = 4
_BLACK: Final = 1 / 510  # what a screen of 256 grays shows as black


def render(
    stored: npt.NDArray[Any], dataset: Dataset, frame: int, *, is_ct: bool, units_window: tuple[float, float] = (LUNG_CENTRE, LUNG_WIDTH)
) -> Gray:
    """One monochrome frame as float32 (rows, columns) in [0, 1], 0 black.

    Args:
        stored: (rows, columns) of the integers that were stored, sign and unused bits put right.
        dataset: its header.
        frame: from 1.
        is_ct: whether to show Hounsfield units, whatever windows the header has.
        units_window: centre and width of the window that these are shown in; by default the lung window.
    """
    is_inverse = polarity.is_inverse(dataset)
    values = to_modality(stored, dataset, frame)
    is_turned = bool(values.flat[stored.argmin()] > values.flat[stored.argmax()])  # by a negative slope
    blank = padding.find(stored, dataset, is_low_white=is_inverse != is_turned)
    units = hounsfield(values, blank) if is_ct else None
    gray = _displayed(values, dataset, frame, blank) if units is None else window(units, *units_window, "LINEAR")
    if is_inverse:
        np.subtract(1, gray, out=gray)
    if blank is not None:
        gray[blank] = 0
    return gray


def lung(hounsfield: npt.NDArray[Any]) -> Gray:
    """Hounsfield units in the lung window, float32 in [0, 1]."""
    return window(hounsfield, LUNG_CENTRE, LUNG_WIDTH, "LINEAR")


def window(values: npt.NDArray[Any], centre: float, width: float, function: str) -> Gray:
    """The VOI LUT function LINEAR, LINEAR_EXACT or SIGMOID (PS3.3 C.11.2.1.2 and C.11.2.1.3) with y from 0 to 1."""
    if function == "SIGMOID":
        with np.errstate(over="ignore"):  # exp overflows to infinity, which makes the black that is meant
            return (1 / (1 + np.exp(-4 * (lut.floats(values) - centre) / width))).astype(np.float32)
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    gray = lut.floats(values) - np.float32(centre)
    if width > 0:
        gray /= width
        gray += 0.5
    else:  # LINEAR with width 1 is a threshold
        gray = (gray > 0).astype(np.float32)
    return np.clip(gray, 0, 1, out=gray).astype(np.float32, copy=False)


def to_modality(stored: npt.NDArray[Any], dataset: Dataset, frame: int) -> npt.NDArray[Any]:
    """Modality LUT or rescale (PS3.3 C.11.1), of the frame's own where the header has one a frame (C.7.6.16.2.9)."""
    for item in tags.items(dataset, "ModalityLUTSequence")[:1]:
        if table := lut.read(item, dataset):
            return table.of(stored)
    item = tags.macro(dataset, frame, "PixelValueTransformationSequence")
    slope, intercept = tags.numbers(item, "RescaleSlope")[:1], tags.numbers(item, "RescaleIntercept")[:1]
    if slope in ([], [0], [1]) and intercept in ([], [0]):
        return stored
    values = lut.floats(stored)
    if slope and slope[0]:
        values *= slope[0]
    if intercept:
        values += intercept[0]
    return values


def _displayed(values: npt.NDArray[Any], dataset: Dataset, frame: int, blank: padding.Mask | None) -> Gray:
    """VOI LUT, else the first window that leaves a picture; else 8-bit values as they stand, else between robust extremes."""
    for shown in chain(_by_table(values, dataset), _by_windows(values, dataset, frame)):
        if _has_contrast(shown, blank):
            return shown
    bits = tags.whole(dataset, "BitsStored", 16)
    if bits <= 8 and np.issubdtype(values.dtype, np.unsignedinteger):
        return values * np.float32(1 / (2**bits - 1))
    low, high = _extremes(values, blank)
    return window(values, (low + high) / 2, max(high - low, 1e-6), "LINEAR_EXACT")


def _by_table(values: npt.NDArray[Any], dataset: Dataset) -> Iterator[Gray]:
    for item in tags.items(dataset, "VOILUTSequence")[:1]:
        if table := lut.read(item, dataset):
            yield table.of(values) * np.float32(1 / table.top)


def _by_windows(values: npt.NDArray[Any], dataset: Dataset, frame: int) -> Iterator[Gray]:
    item = tags.macro(dataset, frame, "FrameVOILUTSequence")
    function = (tags.text(item, "VOILUTFunction") or "LINEAR").upper()
    for centre, width in islice(zip(tags.numbers(item, "WindowCenter"), tags.numbers(item, "WindowWidth"), strict=False), _WINDOWS_MAX):
        if width >= 1 or (width > 0 and function != "LINEAR"):
            yield window(values, centre, width, function)


def _has_contrast(gray: Gray, blank: padding.Mask | None) -> bool:
    """Whether a window shows a picture: none that cuts at a threshold, lies beside the values or is far wider than they reach."""
    seen = padding.sample(gray, None if blank is None else ~blank)
    low, high = _extremes(gray, blank)
    between = np.count_nonzero((seen > _BLACK) & (seen < 1 - _BLACK))
    return high - low >= _CONTRAST_MIN and int(between) >= _BETWEEN_MIN * seen.size


def _extremes(values: npt.NDArray[Any], blank: padding.Mask | None) -> tuple[float, float]:
    seen = padding.sample(values, None if blank is None else ~blank)
    edges = [int(share * (seen.size - 1)) for share in (_DARKEST, _BRIGHTEST)]
    low, high = np.partition(seen, edges)[edges].tolist()
    return float(low), float(high)
