"""Which pixels fill a picture up to its frame and show nothing (DICOM PS3.3 C.7.5.1.1.2)."""

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from imaging import tags

Mask = npt.NDArray[np.bool_]

_MOST: Final = 0.95  # a range that leaves less of the picture than the rest is a mistake
# Around real padding the picture begins with any gray; where a film is overexposed its own grays run up to white. By this share of the
# picture's range the median pixel beside padding differs from it.
_STEP_MIN: Final = 0.1
_EXTREMES: Final = (0.005, 0.995)
_SAMPLE: Final = 250_000


def find(stored: npt.NDArray[Any], dataset: Dataset, *, is_low_white: bool) -> Mask | None:
    """Which pixels of a frame are padding; None if none are.

    Args:
        stored: (rows, columns) of the integers that were stored, sign and unused bits put right.
        dataset: its header.
        is_low_white: whether the lowest of them is shown as white.
    """
    bounds = _bounds(stored.dtype, dataset)
    if bounds is None:
        return None
    found: Mask = (stored >= bounds[0]) & (stored <= bounds[1])
    if not 0 < np.count_nonzero(found) <= _MOST * found.size:
        return None
    darkest, brightest = np.quantile(sample(stored, ~found), _EXTREMES)
    is_darkest = bounds[0] >= brightest if is_low_white else bounds[1] <= darkest
    if is_darkest:  # little changes if it is anatomy after all
        return found
    found = _outside(found)
    return found if found.any() and _step(found, stored, bounds) >= _STEP_MIN * (brightest - darkest) else None


def sample(values: npt.NDArray[Any], where: Mask | None) -> npt.NDArray[Any]:
    """Some of the values, of those that the mask has: enough to know their distribution; ordering 100 million takes seconds."""
    step = max(1, values.size // _SAMPLE)
    few = values.ravel()[::step]
    return few if where is None else few[where.ravel()[::step]]


def _bounds(dtype: np.dtype[Any], dataset: Dataset) -> tuple[int, int] | None:
    """The lowest and the highest value that is padding; None if no pixel can have the Pixel Padding Value."""
    limits = [tags.numbers(dataset, keyword)[:1] for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    values = [_stored_value(int(limit[0]), dtype, dataset) if limit else None for limit in limits]
    if values[0] is None:
        return None
    low, high = sorted((values[0], values[0] if values[1] is None else values[1]))
    return low, high


def _stored_value(written: int, dtype: np.dtype[Any], dataset: Dataset) -> int | None:
    """The pixel value that a header's value means; None if no pixel can have it.

    The element has 16 bits, and is often written as US where pixels are signed, or the other way round: what counts are its bits, be it at
    its own width or at that of the pixels.
    """
    allocated = 8 * dtype.itemsize
    stored = min(max(1, tags.whole(dataset, "BitsStored", allocated)), allocated)
    if not -(2**15) <= written < 2**16:
        return None
    bits = written % 2**16
    if dtype.kind == "u":
        return bits if bits < 2**stored else None
    for width in (16, allocated, stored):
        value = bits - (bits >> (width - 1) << width)
        if bits >> width == 0 and -(1 << (stored - 1)) <= value < 1 << (stored - 1):
            return value
    return None


def _outside(found: Mask) -> Mask:
    """The part that is joined to the edge of the picture."""
    framed = np.pad(found.astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(framed, None, (0, 0), 2)
    return np.asarray(framed[1:-1, 1:-1] == 2)


def _step(found: Mask, stored: npt.NDArray[Any], bounds: tuple[int, int]) -> float:
    """How far the median pixel beside padding is from its range."""
    beside = cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_) & ~found
    values = stored[beside].astype(np.int64)
    return float(np.median(np.maximum(bounds[0] - values, values - bounds[1])))
