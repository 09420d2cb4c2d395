"""A scan as a PNG for people, in a window of their choice, with a scale bar: the whole of what runs in a reader's child process."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from imaging import formats, tags
from imaging.formats import Format
from imaging.original import read_original
from imaging.read import read
from lungline.findings import Modality

FUNCTION: Final = "imaging.picture:draw"
BAR_MM: Final = 50.0
_MARGIN: Final = 12  # pixels
_THICKNESS: Final = 2


@dataclass(frozen=True)
class PictureOrder:
    """What is to be drawn."""

    path: str
    """Of the original bytes."""
    sha256: str
    """Which these must have."""
    frame: int
    """From 1."""
    side: int
    """Of the picture's longer side in pixels; it is never enlarged."""
    window: tuple[float, float] | None = None
    """Centre and width: of a CT in Hounsfield units, of all else in percent of its grays. None: as it is read."""


def draw(order: PictureOrder) -> bytes:
    """The picture as PNG, 8 bits of gray; a CT whose header has a Pixel Spacing with a bar of 50 mm.

    Raises:
        UnreadableScan: the bytes are gone, are others now, or cannot be decoded.
    """
    data = read_original(order.path, order.sha256)
    image = read(data, order.frame, order.window)
    is_ct = image.facts.modality is Modality.CT
    pixels = image.pixels if is_ct or order.window is None else _stretch(image.pixels, *order.window)
    scale = min(1.0, order.side / max(pixels.shape))
    if scale < 1:
        size = (max(1, round(image.columns * scale)), max(1, round(image.rows * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)
    canvas = np.round(pixels * 255).astype(np.uint8)
    if is_ct and (spacing := _spacing(data, order.frame)):
        _draw_bar(canvas, BAR_MM / spacing * scale)
    return bytes(cv2.imencode(".png", canvas)[1])


def _stretch(gray: npt.NDArray[np.float32], centre: float, width: float) -> npt.NDArray[np.float32]:
    low = (centre - width / 2) / 100
    stretched = (gray - np.float32(low)) / np.float32(max(width, 1) / 100)
    return np.clip(stretched, 0, 1, out=stretched)


def _spacing(data: bytes, frame: int) -> float | None:
    """Millimetres from column to column (PS3.3 10.7.1.3); None where the header does not say, or the pixels are no squares."""
    if formats.detect(data) is not Format.DICOM:
        return None
    from imaging.dicom import parse

    found = tags.numbers(tags.macro(parse(data), frame, "PixelMeasuresSequence"), "PixelSpacing")
    is_square = len(found) == 2 and found[0] > 0 and abs(found[0] - found[1]) <= 0.01 * found[0]
    return found[1] if is_square else None


def _draw_bar(canvas: npt.NDArray[np.uint8], length: float) -> None:
    rows, columns = canvas.shape
    if not 10 <= length <= columns - 2 * _MARGIN:
        return
    left, bottom = _MARGIN, rows - _MARGIN
    right = left + round(length)
    for colour, more in ((0, 2), (255, 0)):  # a dark edge, so that it is seen on lungs and bones alike
        cv2.line(canvas, (left, bottom), (right, bottom), colour, _THICKNESS + more)
        for x in (left, right):
            cv2.line(canvas, (x, bottom - 5), (x, bottom + 5), colour, _THICKNESS + more)
        cv2.putText(canvas, f"{BAR_MM:.0f} mm", (left, bottom - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1 + more, cv2.LINE_AA)
