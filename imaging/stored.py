"""From what a codec gives to the integers that were stored: their bits, and their sign (DICOM PS3.5 8.1.1, 8.2)."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from imaging import tags
from imaging.codestream import Head

Stored = npt.NDArray[Any]

_ROWS: Final = 256  # so many tell how rough a picture is


def values(raw: Stored, dataset: Dataset, head: Head | None) -> Stored:
    """The stored values of a monochrome frame.

    Args:
        raw: (rows, columns) as the codec gave it, with the header's sign.
        dataset: the header.
        head: of the compressed frame, for a codec that keeps to its own depth (JPEG-LS, JPEG 2000).

    A compressed image outranks the header (PS3.5 8.2.3, 8.2.4), with one exception. Encoders often take signed values for unsigned ones
    of as many bits, or the other way round: the smoother picture of the two is the real one.
    """
    by_header = _used_bits(raw, dataset)
    is_signed = bool(tags.whole(dataset, "PixelRepresentation", 0))
    if head is None or head.is_signed is is_signed:
        return by_header
    if head.bits < tags.whole(dataset, "BitsStored", 8 * raw.dtype.itemsize):
        return _as_coded(raw, head)
    if head.is_signed is None:
        return by_header
    return min(_as_coded(raw, head), by_header, key=_roughness)


def _as_coded(raw: Stored, head: Head) -> Stored:
    """With the sign of the compressed image; where that has none, unsigned."""
    coded = raw.view(f"{'i' if head.is_signed else 'u'}{raw.dtype.itemsize}")
    # Signed values may stand for Hounsfield units: what the header calls signed stays so if it fits.
    is_called_signed = raw.dtype.kind == "i" and not head.is_signed
    return coded.astype(np.int16) if is_called_signed and head.bits < 16 else coded


def _used_bits(raw: Stored, dataset: Dataset) -> Stored:
    """The Bits Stored below High Bit, with their sign; what other bits hold is not part of the value."""
    allocated = 8 * raw.dtype.itemsize
    stored = tags.whole(dataset, "BitsStored", allocated)
    high = tags.whole(dataset, "HighBit", stored - 1)
    if dataset.BitsAllocated == 1 or stored == allocated or not stored <= high + 1 <= allocated:
        return raw
    return (raw << (allocated - 1 - high)) >> (allocated - stored)


def _roughness(picture: Stored) -> int:
    """How much neighbours in a row differ: where a sign is wrong, some jump over the whole range."""
    rows = picture[:: max(1, len(picture) // _ROWS)].astype(np.int64)
    return int(np.abs(np.diff(rows, axis=1)).sum())
