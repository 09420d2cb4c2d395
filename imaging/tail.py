"""Whether the end of uncompressed pixels was ever written: some senders set a file's length first, and write its bytes later."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.utils import get_expected_length

from imaging import tags
from imaging.header import Facts
from lungline.errors import UnreadableScan
from lungline.reasons import Reason

_BAND: Final = 8  # rows: less is not worth a doubt
_STEADY: Final = 32  # rows above the last one, over which an edge that is straight keeps its place
_STRAY: Final = 64  # an edge keeps its place within a 64th of the width


def check(dataset: Dataset, facts: Facts) -> Facts:
    """The facts of a DICOM object with native pixels, for review where it is in doubt whether their end was written.

    Raises:
        UnreadableScan: `truncated`.
    """
    bits = tags.whole(dataset, "BitsAllocated", 8)
    is_plain = bits in (8, 16, 32) and dataset.PhotometricInterpretation != "YBR_FULL_422"
    if facts.rejection is not None or not is_plain or dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return facts
    samples = 1 if tags.whole(dataset, "PlanarConfiguration", 0) == 1 else int(dataset.SamplesPerPixel)
    values = np.frombuffer(dataset.PixelData, f"u{bits // 8}", count=get_expected_length(dataset) * 8 // bits)
    doubt = judge(values.reshape(-1, dataset.Columns * samples))
    if doubt is Reason.TRUNCATED:
        raise UnreadableScan(doubt, "The lower part of the pixels was never written.")
    return facts if doubt is None or facts.review is not None else replace(facts, review=doubt)


def judge(pixels: npt.NDArray[Any]) -> Reason | None:
    """What the zeros at the end of stored values, (rows of all frames and planes, columns), mean: `truncated`, `blank_end` or None.

    Pixels that were never written are exactly zero, and begin anywhere in a row. So `truncated` if the last row that holds something breaks
    off where those above it go on, though it begins where they do, and their edges are straight; or if the lower third is zero, and no
    other side has a border. A black border begins below a whole row, and a round field of view or a body narrows towards its lower end.
    """
    rows, _ = pixels.shape
    if rows < 2 * _BAND or pixels[-_BAND:].any():
        return None
    written = np.flatnonzero(pixels.any(axis=1))
    if written.size == 0:
        return Reason.BLANK_END
    last, top = int(written[-1]), int(written[0])
    blank = rows - 1 - last
    if _breaks_off(pixels[max(0, last - _STEADY) : last + 1]):
        return Reason.TRUNCATED
    is_third = blank * 3 >= rows
    if blank * 8 < rows or top * (2 if is_third else 4) >= blank:
        return None  # a border, or a round field of view
    return Reason.TRUNCATED if is_third and top * 4 < blank and not _has_side(pixels) else Reason.BLANK_END


def _has_side(pixels: npt.NDArray[Any]) -> bool:
    """Whether the picture lies on a larger black canvas."""
    columns = np.flatnonzero(pixels.any(axis=0))
    return bool(min(len(columns), columns[-1] + 1 - columns[0]) * 8 <= pixels.shape[1] * 7)


def _breaks_off(pixels: npt.NDArray[Any]) -> bool:
    """Whether the last of these rows ends too early."""
    if len(pixels) <= _STEADY:
        return False
    width = pixels.shape[1]
    is_set = pixels != 0
    first = is_set.argmax(axis=1)
    end = width - is_set[:, ::-1].argmax(axis=1)
    above = end[:-1]
    if not is_set.any(axis=1).all() or np.ptp(above) * _STRAY > width or np.ptp(first) * _STRAY > width:
        return False
    missing = is_set[-2, end[-1] : above.min()]
    return bool(missing.size * _STRAY > width and np.count_nonzero(missing) * 2 > missing.size)
