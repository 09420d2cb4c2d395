"""Lookup tables of a header: modality LUT, VOI LUT, presentation LUT (DICOM PS3.3 C.11.1.1, C.11.2.1.1, C.11.6.1)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from imaging import tags


@dataclass(frozen=True)
class LookupTable:
    """A lookup table: `entries` for the values from `first` on; values beyond take the nearest entry (PS3.3 C.11.1.1, C.11.2.1.1)."""

    entries: npt.NDArray[np.uint16]
    first: int
    top: int
    """The brightest value that entries of this depth can have."""

    @property
    def is_descending(self) -> bool:
        """Whether the table turns black and white over."""
        return bool(self.entries[-1] < self.entries[0])

    def of(self, values: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
        index = np.clip(floats(values) - self.first, 0, len(self.entries) - 1)
        found: npt.NDArray[np.uint16] = self.entries[index.astype(np.int32)]
        return found


def read(item: Dataset, dataset: Dataset) -> LookupTable | None:
    """The LUT Descriptor and LUT Data of a sequence's item; None if they make no table."""
    descriptor = tags.numbers(item, "LUTDescriptor")
    data = tags.value(item, "LUTData")
    if len(descriptor) != 3 or data is None:
        return None
    count, first, bits = (int(number) for number in descriptor)
    count = count & 0xFFFF or 2**16
    if first > 0x7FFF and tags.whole(dataset, "PixelRepresentation", 0):
        first -= 2**16  # written as US where the values are signed
    if isinstance(data, bytes):
        order = "<" if dataset.original_encoding[1] is not False else ">"
        is_packed = bits <= 8 and len(data) < 2 * count
        entries = np.frombuffer(data, np.uint8 if is_packed else f"{order}u2", count=min(count, len(data) // (1 if is_packed else 2)))
    else:
        entries = np.atleast_1d(np.asarray(data, dtype=np.int64))[:count] & 0xFFFF
    if not len(entries) or not 1 <= bits <= 16:
        return None
    top = max(2**bits - 1, 2 ** int(entries.max()).bit_length() - 1)  # some writers name fewer bits than they use
    return LookupTable(entries.astype(np.uint16), first, top)


def floats(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy as float32, which holds 16-bit integers exactly; float64 for wider ones."""
    return values.astype(np.float32 if values.dtype.itemsize <= 2 or values.dtype == np.float32 else np.float64)
