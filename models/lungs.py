"""Where the lungs lie in an axial CT slice, so that the field of view around them does not matter.

Published slices are often cut tight around the lungs, those of a PACS show the whole body and the table. A network that is given both
learns to tell sources by that, and fails on whole slices of a kind that it knows as cut ones only.
"""

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]

_SIDE = 128  # of the copy that is searched
_LEAST_PART = 0.01  # of the slice: what is smaller is bowel gas or windpipe
_LEAST_BOX = 0.12  # of the slice: what is smaller is no pair of lungs
_MOST_BOX = 0.55  # of the slice: what is larger shows that it was cut to the lungs already
_MARGIN = 0.04  # of the slice, each way: consolidations at the rim are bright, and would be cut off


def crop_to_lungs(pixels: Pixels) -> Pixels:
    """Cuts a slice to the box around its lungs; gives it back whole where it was cut before, or they are not found.

    Lungs are the dark regions that the body, the largest bright region, encloses. Any window serves that shows them dark.

    Args:
        pixels: float32 (rows, columns).

    Returns:
        A view of `pixels`, float32 (rows, columns), not empty.
    """
    small = np.asarray(cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.float32)
    box = _lung_box(small)
    if box is None:
        return pixels
    rows, columns = pixels.shape
    return pixels[_span(box[0], box[1], rows), _span(box[2], box[3], columns)]


def _span(first: float, last: float, length: int) -> slice:
    start = max(0, round((first - _MARGIN) * length))
    return slice(start, max(start + 1, round((last + _MARGIN) * length)))


def _lung_box(small: Pixels) -> tuple[float, float, float, float] | None:
    """Top, bottom, left and right of the lungs as shares of the slice; None where there is no such box."""
    dark, light = np.percentile(small, (1, 99))
    gray = (np.clip((small - dark) / max(light - dark, 1e-3), 0, 1) * 255).astype(np.uint8)
    _, bright = cv2.threshold(gray, 0, 255, cv2.THRESH_OTSU)
    bright = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    found, labels, stats, _ = cv2.connectedComponentsWithStats(bright)
    if found < 2:
        return None
    body = labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~body).astype(np.uint8), connectivity=4)
    lungs = np.isin(
        labels, [part for part, (x, y, width, height, area) in enumerate(stats) if part and _enclosed(x, y, width, height, area)]
    )
    rows, columns = np.flatnonzero(lungs.any(axis=1)), np.flatnonzero(lungs.any(axis=0))
    if not len(rows):
        return None
    height, width = (rows[-1] + 1 - rows[0]) / _SIDE, (columns[-1] + 1 - columns[0]) / _SIDE
    if width < height or not _LEAST_BOX <= width * height <= _MOST_BOX:  # a box that is taller than wide has lost one of two lungs
        return None
    return rows[0] / _SIDE, (rows[-1] + 1) / _SIDE, columns[0] / _SIDE, (columns[-1] + 1) / _SIDE


def _enclosed(x: int, y: int, width: int, height: int, area: int) -> bool:
    return area >= _LEAST_PART * _SIDE * _SIDE and x > 0 and y > 0 and x + width < _SIDE and y + height < _SIDE
