"""The picture of a result: the most telling images of a study, and beside them what the ensemble and each of its members say."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from db.shown_images import ShownImage
from lungline import RESEARCH_USE, __version__
from pacs.evidence import Evidence, ShownSeries
from pacs.objects.originals import Original

Picture = npt.NDArray[np.uint8]

SIZE: Final = 1024
"""Of the square in which the images stand, in pixels."""
PANEL: Final = 640
"""The width of the text beside it."""
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_WHITE, _GRAY, _YELLOW = (255, 255, 255), (170, 170, 170), (255, 210, 80)
_LINE: Final = 28


def draw(evidence: Evidence, originals: Sequence[Original]) -> Picture:
    """(SIZE, SIZE + PANEL, 3) RGB: up to four images of the series that the study is judged by, and the text."""
    shown = [original for original in originals if original.series == originals[0].series]
    canvas = np.zeros((SIZE, SIZE + PANEL, 3), np.uint8)
    across = 1 if len(shown) == 1 else 2
    side = SIZE // across
    for place, original in enumerate(shown):
        top, left = side * (place // across), side * (place % across)
        canvas[top : top + side, left : left + side] = _tile(original, side)
    _write(canvas, _text(evidence, shown[0]))
    return canvas


def _tile(original: Original, side: int) -> Picture:
    """The image, as large as fits, with its own score below."""
    rows, columns = original.pixels.shape
    scale = side / max(rows, columns)
    width, height = max(1, round(columns * scale)), max(1, round(rows * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    gray = cv2.resize(np.round(original.pixels * 255).astype(np.uint8), (width, height), interpolation=how)
    tile = np.zeros((side, side, 3), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    tile[top : top + height, left : left + width] = gray[:, :, None]
    _put(tile, _caption(original.image), (10, side - 12), _YELLOW)
    return tile


def _caption(image: ShownImage) -> str:
    place = "" if image.position_mm is None else f"{image.position_mm:.1f} mm: "
    return f"{place}{_finding(image.finding, image.probability)}"


def _write(canvas: Picture, lines: Iterable[tuple[str, tuple[int, int, int]]]) -> None:
    for number, (line, colour) in enumerate(lines):
        _put(canvas, line, (SIZE + 20, 40 + _LINE * number), colour)


def _put(canvas: Picture, text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    for across, down in ((-1, 0), (1, 0), (0, -1), (0, 1)):  # an edge of black: legible on white, too
        cv2.putText(canvas, text, (place[0] + across, place[1] + down), _FONT, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.putText(canvas, text, place, _FONT, 0.6, colour, 1, cv2.LINE_AA)


def _text(evidence: Evidence, shown: Original) -> Iterator[tuple[str, tuple[int, int, int]]]:
    yield f"Lungline {__version__}", _WHITE
    yield "RESEARCH USE ONLY, NOT FOR DIAGNOSIS", _YELLOW
    yield RESEARCH_USE.partition(". ")[2], _YELLOW
    yield "", _GRAY
    yield f"Study: {_finding(evidence.finding, evidence.probability)}", _WHITE
    yield f"{evidence.status}, {evidence.stage}{f', {evidence.reason}' if evidence.reason else ''}", _WHITE
    yield "", _GRAY
    for series in evidence.series[:6]:
        yield from _series_lines(series)
    yield "", _GRAY
    yield "The most telling image:", _WHITE
    for member in shown.image.members:
        said = ", ".join(f"{finding} {100 * value:.1f} %" for finding, value in sorted(member.probabilities.items()))
        yield f"{member.member}: {said}", _GRAY
        yield f"  version {member.version}", _GRAY


def _series_lines(series: ShownSeries) -> Iterator[tuple[str, tuple[int, int, int]]]:
    said = series.assessment
    yield f"{series.modality or 'other'} series: {_finding(said.finding, said.probability)}, {said.status}", _WHITE
    yield f"  {said.slices_used} of {said.slices} images used", _GRAY
    if said.ensemble:
        yield f"  ensemble {said.ensemble}", _GRAY
        yield f"  rule {said.rule}", _GRAY


def _finding(finding: str | None, probability: float | None) -> str:
    return "not read" if finding is None or probability is None else f"{finding} {100 * probability:.1f} %"
