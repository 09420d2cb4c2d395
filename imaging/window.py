"""From stored pixel values to gray: modality LUT, then lung window or VOI LUT, then MONOCHROME1 inverted (DICOM PS3.3 C.11.1, C.11.2)."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from imaging import tags
from imaging.units import hounsfield

Gray = npt.NDArray[np.float32]

# The lung window, in Hounsfield units: as radiologists look at lungs.
LUNG_CENTRE: Final = -600.0
LUNG_WIDTH: Final = 1500.0
# Where a radiograph has no window: the shares of its pixels that become black and white, so that a marker's lead letter
# or the collimator's edge does not set the contrast.
_DARKEST: Final = 0.005
_BRIGHTEST: Final = 0.995
_SAMPLE: Final = 250_000  # so many pixels tell these shares well enough, and ordering 100 million takes seconds


def render(stored: npt.NDArray[Any], dataset: Dataset, frame: int, *, is_ct: bool) -> Gray:
    """One monochrome frame as float32 (rows, columns) in [0, 1], 0 black.

    Args:
        stored: (rows, columns) of the integers that were stored, sign and unused bits put right.
        dataset: its header.
        frame: from 1.
        is_ct: whether to show Hounsfield units in the lung window, whatever windows the header has.
    """
    padding = _padding(stored, dataset)
    values = to_modality(stored, dataset, frame)
    units = hounsfield(values, padding) if is_ct else None
    gray = _displayed(values, dataset, frame, padding) if units is None else lung(units)
    if tags.text(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        np.subtract(1, gray, out=gray)
    if padding is not None:
        gray[padding] = 0
    return gray


def lung(hounsfield: npt.NDArray[Any]) -> Gray:
    """Hounsfield units in the lung window, float32 in [0, 1]."""
    return window(hounsfield, LUNG_CENTRE, LUNG_WIDTH, "LINEAR")


def window(values: npt.NDArray[Any], centre: float, width: float, function: str) -> Gray:
    """The VOI LUT function LINEAR, LINEAR_EXACT or SIGMOID (PS3.3 C.11.2.1.2 and C.11.2.1.3) with y from 0 to 1."""
    if function == "SIGMOID":
        with np.errstate(over="ignore"):  # exp overflows to infinity, which makes the black that is meant
            return (1 / (1 + np.exp(-4 * (_floats(values) - centre) / width))).astype(np.float32)
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    gray = _floats(values) - np.float32(centre)
    if width > 0:
        gray /= width
        gray += 0.5
    else:  # LINEAR with width 1 is a threshold
        gray = (gray > 0).astype(np.float32)
    return np.clip(gray, 0, 1, out=gray).astype(np.float32, copy=False)


def to_modality(stored: npt.NDArray[Any], dataset: Dataset, frame: int) -> npt.NDArray[Any]:
    """Modality LUT or rescale (PS3.3 C.11.1), of the frame's own where the header has one a frame (C.7.6.16.2.9)."""
    for item in tags.items(dataset, "ModalityLUTSequence")[:1]:
        if table := _table(item, dataset):
            return table.of(stored)
    item = tags.macro(dataset, frame, "PixelValueTransformationSequence")
    slope, intercept = tags.numbers(item, "RescaleSlope")[:1], tags.numbers(item, "RescaleIntercept")[:1]
    if slope in ([], [0], [1]) and intercept in ([], [0]):
        return stored
    values = _floats(stored)
    if slope and slope[0]:
        values *= slope[0]
    if intercept:
        values += intercept[0]
    return values


def _displayed(values: npt.NDArray[Any], dataset: Dataset, frame: int, padding: npt.NDArray[np.bool_] | None) -> Gray:
    """VOI LUT, else the first window, else 8-bit values as they stand, else between robust extremes."""
    for item in tags.items(dataset, "VOILUTSequence")[:1]:
        if table := _table(item, dataset):
            return table.of(values) * np.float32(1 / table.top)
    item = tags.macro(dataset, frame, "FrameVOILUTSequence")
    centre, width = tags.numbers(item, "WindowCenter")[:1], tags.numbers(item, "WindowWidth")[:1]
    function = (tags.text(item, "VOILUTFunction") or "LINEAR").upper()
    if centre and width and (width[0] >= 1 or (width[0] > 0 and function != "LINEAR")):
        return window(values, centre[0], width[0], function)
    bits = tags.whole(dataset, "BitsStored", 16)
    if bits <= 8 and np.issubdtype(values.dtype, np.unsignedinteger):
        return values * np.float32(1 / (2**bits - 1))
    return _stretched(values, padding)


def _stretched(values: npt.NDArray[Any], padding: npt.NDArray[np.bool_] | None) -> Gray:
    seen = values.ravel() if padding is None or padding.all() else values[~padding]
    seen = seen[:: max(1, seen.size // _SAMPLE)]
    edges = [int(share * (seen.size - 1)) for share in (_DARKEST, _BRIGHTEST)]
    low, high = (float(one) for one in np.partition(seen, edges)[edges])
    return window(values, (low + high) / 2, max(high - low, 1e-6), "LINEAR_EXACT")


def _padding(stored: npt.NDArray[Any], dataset: Dataset) -> npt.NDArray[np.bool_] | None:
    """Which pixels are padding (PS3.3 C.7.5.1.1.2); None if none are."""
    first = tags.numbers(dataset, "PixelPaddingValue")[:1]
    if not first:
        return None
    last = tags.numbers(dataset, "PixelPaddingRangeLimit")[:1] or first
    # Both are often written as US where pixels are signed, and the other way round: what counts are their bits.
    size = stored.dtype.itemsize
    bits = np.array([int(one) % 2 ** (8 * size) for one in (*first, *last)], f"u{size}")
    low, high = sorted(bits.view(stored.dtype).tolist())
    found: npt.NDArray[np.bool_] = (stored >= low) & (stored <= high)
    return found if found.any() else None


@dataclass(frozen=True)
class _Table:
    """A lookup table: `entries` for the values from `first` on; values beyond take the nearest entry (PS3.3 C.11.1.1, C.11.2.1.1)."""

    entries: npt.NDArray[np.uint16]
    first: int
    top: int
    """The brightest value that entries of this depth can have."""

    def of(self, values: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
        index = np.clip(_floats(values) - self.first, 0, len(self.entries) - 1)
        found: npt.NDArray[np.uint16] = self.entries[index.astype(np.int32)]
        return found


def _table(item: Dataset, dataset: Dataset) -> _Table | None:
    """The LUT Descriptor and LUT Data of a sequence's item; None if they make no table."""
    descriptor = tags.numbers(item, "LUTDescriptor")
    data = tags.value(item, "LUTData")
    if len(descriptor) != 3 or data is None:
        return None
    count, first, bits = (int(one) for one in descriptor)
    count = count & 0xFFFF or 2**16
    if first > 0x7FFF and tags.whole(dataset, "PixelRepresentation", 0):
        first -= 2**16  # written as US where the values are signed
    if isinstance(data, bytes):
        order = "<" if dataset.original_encoding[1] is not False else ">"
        is_packed = bits <= 8 and len(data) < 2 * count
        entries = np.frombuffer(data, np.uint8 if is_packed else f"{order}u2", count=min(count, len(data) // (1 if is_packed else 2)))
    else:
        entries = np.asarray(data, dtype=np.int64)[:count] & 0xFFFF
    if not len(entries) or not 1 <= bits <= 16:
        return None
    top = max(2**bits - 1, 2 ** int(entries.max()).bit_length() - 1)  # some writers name fewer bits than they use
    return _Table(entries.astype(np.uint16), first, top)


def _floats(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy as float32, which holds 16-bit integers exactly; float64 for wider ones."""
    return values.astype(np.float32 if values.dtype.itemsize <= 2 or values.dtype == np.float32 else np.float64)
