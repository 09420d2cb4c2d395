"""The scores of a series' slices along the body, as the numbers of an SVG plot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from db.series import Slice

WIDTH, HEIGHT = 720, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 30
_POINTS_MIN: Final = 2


@dataclass(frozen=True)
class PlotPoint:
    """A slice: where it lies in the plot, and what it is."""

    x: float
    y: float
    slice: Slice


@dataclass(frozen=True)
class SlicePlot:
    """Points from one end of the body to the other, and what the axes say."""

    points: list[PlotPoint]
    line: str
    """Through all points, for an SVG polyline."""
    first: str
    """What stands at the left end of the axis."""
    last: str
    grid: list[tuple[float, str]]
    """Heights of the horizontal lines, each with its label."""


def draw_plot(slices: Sequence[Slice]) -> SlicePlot | None:
    """The plot of the slices that have a score, by position where all have one, else by their order; None for less than two."""
    scored = [each for each in slices if each.covid19 is not None]
    if len(scored) < _POINTS_MIN:
        return None
    has_positions = all(each.position_mm is not None for each in scored)
    places = [each.position_mm or 0.0 for each in scored] if has_positions else [float(number) for number in range(len(scored))]
    low, span = min(places), (max(places) - min(places)) or 1.0
    points = [
        PlotPoint(
            round(_LEFT + (place - low) / span * (WIDTH - _LEFT - _RIGHT), 1),
            round(_TOP + (1 - (each.covid19 or 0.0)) * (HEIGHT - _TOP - _BOTTOM), 1),
            each,
        )
        for place, each in zip(places, scored, strict=True)
    ]
    ends = (f"{low:.0f} mm", f"{low + span:.0f} mm") if has_positions else ("first", "last")
    grid = [(round(_TOP + (1 - share) * (HEIGHT - _TOP - _BOTTOM), 1), f"{share:.0%}") for share in (0.0, 0.5, 1.0)]
    return SlicePlot(points, " ".join(f"{point.x},{point.y}" for point in sorted(points, key=lambda point: point.x)), *ends, grid)
