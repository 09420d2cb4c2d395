"""From a gray picture of any size to what a network takes. Training and serving both go through here, so they agree."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from models.lungs import lung_box

Pixels = npt.NDArray[np.float32]

# Training pictures were stored at this longest side or less. Originals are brought there first, so that both are equally sharp.
_STORED_SIDE = 320

# Percentiles that become 0 and 1: windows and exposures differ between sources and devices far more than between findings.
_DARK, _BRIGHT = 1.0, 99.0

# name -> side of the square in pixels, and whether a CT slice is first cut to its lungs
_WAYS: Final = {
    "gray-96": (96, False),
    "gray-128": (128, False),
    "gray-224": (224, False),
    "lung-128": (128, True),
    "lung-224": (224, True),
}

# name -> side of the square in pixels
PREPROCESSES: Final = {name: side for name, (side, _) in _WAYS.items()}


def prepare(name: str, pixels: Pixels) -> Pixels:
    """Shrinks the picture to a square and stretches its contrast.

    The aspect ratio is given up on purpose: it tells the source of a picture better than its finding. So does the framing of CT slices,
    some cut tight to the lungs and some with the body, the table and the air around it: `lung-*` cuts them all to the lungs.

    Args:
        name: one of `PREPROCESSES`.
        pixels: float32 (rows, columns), in [0, 1], 0 black.

    Returns:
        float32 (side, side, 1) in [0, 1]; all zero where the picture has no contrast.

    Raises:
        ValueError: `pixels` is not a picture of two dimensions with at least one pixel.
        KeyError: there is no such preprocessing.
    """
    side, cut = _WAYS[name]
    if pixels.ndim != 2 or pixels.size == 0:
        raise ValueError("a picture has two dimensions and at least one pixel")
    pixels = np.ascontiguousarray(pixels, dtype=np.float32)
    if cut:
        top, bottom, left, right = lung_box(pixels)
        pixels = pixels[top:bottom, left:right]
    longest = max(pixels.shape)
    if longest > _STORED_SIDE:
        rows, columns = (max(1, round(length * _STORED_SIDE / longest)) for length in pixels.shape)
        pixels = _resize(pixels, rows, columns)
    return _stretch(_resize(pixels, side, side))[:, :, np.newaxis]


def _resize(pixels: Pixels, rows: int, columns: int) -> Pixels:
    shrinks = rows <= pixels.shape[0] and columns <= pixels.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (columns, rows), interpolation=how), dtype=np.float32)


def _stretch(pixels: Pixels) -> Pixels:
    dark, bright = np.percentile(pixels, (_DARK, _BRIGHT))
    if bright - dark < 1 / 255:
        return np.zeros_like(pixels)
    stretched: Pixels = np.clip((pixels - np.float32(dark)) / np.float32(bright - dark), 0.0, 1.0)
    return stretched
