"""From a gray picture of any size to what a network takes. Training and serving both go through here, so they agree."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from models.lungs import Lungs, find_lungs

Pixels = npt.NDArray[np.float32]

# Training pictures were stored at this longest side or less. Originals are brought there first, so that both are equally sharp.
_STORED_SIDE = 320

# Percentiles that become 0 and 1: windows and exposures differ between sources and devices far more than between findings.
_DARK, _BRIGHT = 1.0, 99.0

# The article that evens contrast by CLAHE states neither; these are the ones of OpenCV's own tutorial.
_CLAHE_LIMIT, _CLAHE_TILES = 2.0, (8, 8)
_KERNEL = (5, 5)  # of the Gaussian before it


def prepare(name: str, pixels: Pixels, lungs: Lungs | None = None) -> Pixels:
    """Shrinks the picture to a square, and evens its contrast as `name` says.

    The aspect ratio is given up on purpose: it tells the source of a picture better than its finding. So does the framing of CT slices,
    some cut tight to the lungs and some with the body, the table and the air around it: `lung-*` cuts them all to the lungs. `gray-*` and
    `lung-*` stretch the contrast; the others do what a published system did: `plain-*` nothing, `minmax-*` from the darkest pixel to the
    brightest, `clahe-*` a Gaussian against noise, then contrast evened tile by tile.

    Args:
        name: one of `PREPROCESSES`.
        pixels: float32 (rows, columns), in [0, 1], 0 black.
        lungs: where they are in these pixels; None: `lung-*` looks for them.

    Returns:
        float32 (side, side, 1) in [0, 1]; but for `plain-*` and `clahe-*`, all zero where the picture has no contrast.

    Raises:
        ValueError: `pixels` is not a picture of two dimensions with at least one pixel.
        KeyError: there is no such preprocessing.
    """
    way = _WAYS[name]
    if pixels.ndim != 2 or pixels.size == 0:
        raise ValueError("a picture has two dimensions and at least one pixel")
    pixels = np.ascontiguousarray(pixels, dtype=np.float32)
    if way.cut:
        top, bottom, left, right = (lungs or find_lungs(pixels)).box
        pixels = pixels[top:bottom, left:right]
    longest = max(pixels.shape)
    if longest > _STORED_SIDE:
        rows, columns = (max(1, round(length * _STORED_SIDE / longest)) for length in pixels.shape)
        pixels = _resize(pixels, rows, columns)
    return way.after(_resize(way.before(pixels), way.side, way.side))[:, :, np.newaxis]


def _resize(pixels: Pixels, rows: int, columns: int) -> Pixels:
    shrinks = rows <= pixels.shape[0] and columns <= pixels.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (columns, rows), interpolation=how), dtype=np.float32)


def _unchanged(pixels: Pixels) -> Pixels:
    return pixels


def _stretch(pixels: Pixels) -> Pixels:
    return _between(pixels, *np.percentile(pixels, (_DARK, _BRIGHT)))


def _min_to_max(pixels: Pixels) -> Pixels:
    return _between(pixels, pixels.min(), pixels.max())


def _between(pixels: Pixels, dark: float, bright: float) -> Pixels:
    """What is `dark` becomes 0, what is `bright` 1."""
    if bright - dark < 1 / 255:
        return np.zeros_like(pixels)
    stretched: Pixels = np.clip((pixels - np.float32(dark)) / np.float32(bright - dark), 0.0, 1.0)
    return stretched


def _clahe(pixels: Pixels) -> Pixels:
    """In this order: evening contrast first would amplify the noise."""
    gray = np.round(np.clip(pixels, 0.0, 1.0) * 255).astype(np.uint8)
    evened = cv2.createCLAHE(_CLAHE_LIMIT, _CLAHE_TILES).apply(cv2.GaussianBlur(gray, _KERNEL, 0))
    return np.asarray(evened, np.float32) / np.float32(255)


@dataclass(frozen=True)
class _Way:
    side: int  # of the square, in pixels
    cut: bool = False  # whether a CT slice is first cut to its lungs
    before: Callable[[Pixels], Pixels] = _unchanged  # it is brought to its size
    after: Callable[[Pixels], Pixels] = _stretch


_WAYS: Final = {
    "gray-64": _Way(64),
    "gray-96": _Way(96),
    "gray-128": _Way(128),
    "gray-224": _Way(224),
    "lung-128": _Way(128, cut=True),
    "lung-224": _Way(224, cut=True),
    "plain-224": _Way(224, after=_unchanged),
    "plain-300": _Way(300, after=_unchanged),
    "minmax-512": _Way(512, after=_min_to_max),
    "clahe-224": _Way(224, before=_clahe, after=_unchanged),
}

# name -> side of the square in pixels
PREPROCESSES: Final = {name: way.side for name, way in _WAYS.items()}

_WORDS: Final[dict[Callable[[Pixels], Pixels], str]] = {
    _unchanged: "",
    _stretch: f"what is dark as the {_DARK:g}th percentile becomes 0, what is bright as the {_BRIGHT:g}th 1",
    _min_to_max: "the darkest pixel becomes 0, the brightest 1",
    _clahe: f"a Gaussian of {_KERNEL[0]}x{_KERNEL[1]}, then CLAHE of limit {_CLAHE_LIMIT:g} on {_CLAHE_TILES[0]}x{_CLAHE_TILES[1]} tiles",
}


def in_words(name: str) -> str:
    """What `prepare` does, for people who must do the same elsewhere.

    Raises:
        KeyError: there is no such preprocessing.
    """
    way = _WAYS[name]
    parts = [
        "gray in [0, 1], 0 black",
        "a CT slice is cut to its lungs (models/lungs.py)" if way.cut else "",
        f"where the longest side is over {_STORED_SIDE} pixels, brought to {_STORED_SIDE} by area",
        _WORDS[way.before],
        f"resized to {way.side}x{way.side}, the aspect ratio given up (OpenCV: by area to shrink, else bilinear)",
        _WORDS[way.after],
    ]
    return "; ".join(filter(None, parts)) + "."
