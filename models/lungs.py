"""Where the lungs are in an axial CT slice, by thresholds alone: good enough to frame every slice alike, never to measure a lung."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]

# The slice is looked at with this longest side: enough to see lungs, too little to see vessels.
_LOOKED_AT: Final = 160

# A body smaller than this share of the picture is not believed, nor lungs smaller than this share of the body.
_SMALLEST_BODY: Final = 0.15
_SMALLEST_LUNGS: Final = 0.05

# What is dark within the body counts as lung from this share of the largest dark area on: bowel gas and the trachea are smaller.
_SECOND_LUNG: Final = 0.2

# Left around the lungs, as a share of their width and height.
_MARGIN: Final = 0.04


@dataclass(frozen=True)
class Lungs:
    """What a slice shows of the lungs."""

    box: tuple[int, int, int, int]
    """(top, bottom, left, right) in pixels, as slices take them, never empty: around the lungs with a small margin; around the body where
    it shows no lungs; around the whole picture where it shows no body."""
    share: float
    """How much of the body's box the lungs fill, 0 to 1; 0 where the slice shows none."""


def find_lungs(pixels: Pixels) -> Lungs:
    """Finds the lungs in a slice of any window, framed tight or wide.

    The largest bright area is the body (Otsu's threshold); dark areas within it that do not reach its corners are the lungs.

    Args:
        pixels: float32 (rows, columns), in [0, 1], 0 black.
    """
    rows, columns = pixels.shape
    bright = _bright(pixels)
    height, width = bright.shape
    top, bottom, left, right = _body(bright)
    above = beside = share = 0.0
    if inner := _lungs(1 - bright[top:bottom, left:right]):
        box, share = inner
        top, bottom, left, right = top + box[0], top + box[1], left + box[2], left + box[3]
        above, beside = _MARGIN * (bottom - top), _MARGIN * (right - left)
    framed = (
        int(max(0.0, top - above) * rows / height),
        min(rows, int(np.ceil((bottom + above) * rows / height))),
        int(max(0.0, left - beside) * columns / width),
        min(columns, int(np.ceil((right + beside) * columns / width))),
    )
    return Lungs(framed, round(share, 4))


def _bright(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """The slice made small, 1 where it is bright by Otsu's threshold."""
    rows, columns = pixels.shape
    scale = _LOOKED_AT / max(rows, columns)
    height, width = max(8, round(rows * scale)), max(8, round(columns * scale))
    small = (np.clip(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.threshold(small, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1], np.uint8)


def _body(bright: npt.NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """The box of the largest bright area, thin lines such as the table left out."""
    count, _, areas, _ = cv2.connectedComponentsWithStats(
        cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), connectivity=4
    )
    if count > 1:
        left, top, width, height, _ = areas[1 + int(np.argmax(areas[1:, cv2.CC_STAT_AREA]))].tolist()
        if width * height >= _SMALLEST_BODY * bright.size:
            return top, top + height, left, left + width
    return 0, bright.shape[0], 0, bright.shape[1]


def _lungs(dark: npt.NDArray[np.uint8]) -> tuple[tuple[int, int, int, int], float] | None:
    """The box around the lungs among what is dark within the body's box, and their share of it; None if there are none."""
    _, marks, areas, _ = cv2.connectedComponentsWithStats(dark, connectivity=4)
    reach = max(1, min(dark.shape) // 40)
    outside = {0}
    for corner in (marks[:reach, :reach], marks[:reach, -reach:], marks[-reach:, :reach], marks[-reach:, -reach:]):
        outside.update(int(mark) for mark in np.unique(corner))
    inside = [area for mark, area in enumerate(areas.tolist()) if mark not in outside]
    largest = max((area[cv2.CC_STAT_AREA] for area in inside), default=0)
    lungs = [area for area in inside if area[cv2.CC_STAT_AREA] >= _SECOND_LUNG * largest]
    share = sum(area[cv2.CC_STAT_AREA] for area in lungs) / dark.size
    if share < _SMALLEST_LUNGS:
        return None
    box = (
        min(area[cv2.CC_STAT_TOP] for area in lungs),
        max(area[cv2.CC_STAT_TOP] + area[cv2.CC_STAT_HEIGHT] for area in lungs),
        min(area[cv2.CC_STAT_LEFT] for area in lungs),
        max(area[cv2.CC_STAT_LEFT] + area[cv2.CC_STAT_WIDTH] for area in lungs),
    )
    return box, share
