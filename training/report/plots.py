"""The drawings of a report, as SVG in data URIs: no file beside the page, nothing from outside, the same bytes for the same figures."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.records import Bin, Epoch
from training.report.contents import Point, RocCurve

# Told apart without colour vision, and in gray by their lightness: Okabe & Ito, https://jfly.uni-koeln.de/color/.
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
_FAINT: Final = "#888888"
_SIZE: Final = (4.6, 3.8)  # inches: two side by side on a screen, one on a phone


def draw_training(curve: Sequence[Epoch]) -> str:
    """Losses on the left, validation AUROC and accuracy on the right, by epoch."""

    def draw(axes: Axes) -> None:
        right = axes.twinx()
        drawn = (
            (axes, "loss", "training loss", ".", "-"),
            (axes, "validation_loss", "validation loss", "+", "-"),
            (right, "validation_auroc", "validation macro AUROC", "x", "--"),
            (right, "validation_accuracy", "validation accuracy", "1", "--"),
        )
        for colour, (side, key, name, marker, line) in zip(_COLOURS, drawn, strict=False):
            points = [(epoch.epoch, value) for epoch in curve if (value := getattr(epoch, key)) is not None]
            if points:  # older members' curves hold less
                side.plot(*zip(*points, strict=True), color=colour, marker=marker, ls=line, label=name)
        axes.set(xlabel="epoch", ylabel="loss", xlim=(0.5, max(epoch.epoch for epoch in curve) + 0.5))
        right.set_ylabel("AUROC, accuracy")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        lines = [*axes.lines, *right.lines]
        if lines:
            axes.figure.legend(lines, [str(line.get_label()) for line in lines], loc="outside lower center", ncols=2, fontsize=8)

    return _svg(draw, "Training")


def draw_roc(by_finding: Mapping[str, RocCurve], title: str) -> str:
    """A line a finding, against the rest."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=_FAINT, lw=1, ls=":")
        for colour, (finding, first) in zip(_COLOURS, by_finding.items(), strict=False):
            if first.points:
                axes.plot(*_xy(first.points), color=colour, label=f"{finding} {first.auroc:.3f}")
        _square(axes, "false alarms (1 - specificity)", "sensitivity")
        if len(axes.lines) > 1:
            axes.legend(title="against the rest, AUROC", loc="lower right", fontsize=9, title_fontsize=9)

    return _svg(draw, title)


def draw_reliability(before: Sequence[Bin], after: Sequence[Bin], title: str) -> str:
    """Accuracy by confidence, in the bins of the calibration error."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=_FAINT, lw=1, ls=":")
        for colour, marker, label, rows in ((_COLOURS[1], "x", "before temperature", before), (_COLOURS[0], "o", "after", after)):
            x, y = [row.confidence for row in rows], [row.accuracy for row in rows]
            axes.plot(x, y, color=colour, marker=marker, ms=5, lw=1, label=label)
        lowest = min(row.confidence for row in (*before, *after))
        _square(axes, "confidence of the answer", "share of right answers")
        axes.set_xlim(max(0.0, lowest - 0.05), 1.02)
        axes.legend(loc="lower right", fontsize=9)

    return _svg(draw, title)


def draw_coverage(line: Sequence[Point], chosen: Point | None, title: str) -> str:
    """Risk among the surest, and where the thresholds of review lie."""

    def draw(axes: Axes) -> None:
        axes.plot(*_xy(line), color=_COLOURS[0], label="the surest first")
        if chosen is not None:
            axes.plot([chosen.x], [chosen.y], color=_COLOURS[1], marker="D", ls="", label="accepted at the thresholds")
        axes.set(xlabel="coverage: share that is answered", ylabel="risk: share of these that is wrong", xlim=(0, 1.02))
        axes.set_ylim(bottom=-0.005)
        axes.legend(loc="best", fontsize=9)

    return _svg(draw, title)


def _xy(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [point.x for point in points], [point.y for point in points]


def _square(axes: Axes, across: str, up: str) -> None:
    axes.set(xlabel=across, ylabel=up, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def _svg(draw: Callable[[Axes], None], title: str) -> str:
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lungline", "font.family": "sans-serif", "font.size": 10.0}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set_title(title, fontsize=11)
        axes.grid(color="#dddddd", lw=0.5)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()
