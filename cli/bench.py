"""`lungline bench`: how fast this machine is, as ratios measured in one run, since absolute figures hold nowhere else."""

import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer


class Part(StrEnum):
    """What can be timed apart."""

    NETWORKS = "networks"
    FLOW = "flow"
    INTAKE = "intake"
    TRAINING = "training"


@dataclass(frozen=True)
class Figure:
    """The median of some rounds, with the lowest and the highest."""

    part: str
    of: str  # what was run
    what: str
    unit: str
    value: float
    low: float
    high: float
    rounds: int

    @classmethod
    def over(cls, part: Part, of: str, what: str, unit: str, rounds: Sequence[float]) -> "Figure":
        """From one value a round."""
        return cls(part.value, of, what, unit, statistics.median(rounds), min(rounds), max(rounds), len(rounds))


_TITLES: Final = {
    Part.NETWORKS: "Networks alone",
    Part.FLOW: "From file to row, through a running Lungline",
    Part.INTAKE: "Taking files in",
    Part.TRAINING: "Reading while a training runs",
}


def bench(
    parts: Annotated[list[Part] | None, typer.Argument(help="What to time; all by default.", show_default=False)] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each way is timed, in turn with the others.")] = 3,
    files: Annotated[int, typer.Option(min=1, help="How many files the intake takes in.")] = 100_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a figure.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="As docs/performance.md.")] = False,
) -> None:
    """Time networks, the way from file to row, reading beside a training, and intake, on drawn pictures in homes of their own."""
    from lungline import log

    log.configure("bench")  # to standard error: standard output is for figures
    figures: list[Figure] = []
    chosen = parts or list(Part)
    with tempfile.TemporaryDirectory(prefix="lungline-bench-") as folder:
        if Part.NETWORKS in chosen:
            from cli import bench_networks

            figures += bench_networks.measure(Path(folder), rounds)
        if Part.FLOW in chosen:
            from cli import bench_flow

            figures += bench_flow.measure(Path(folder), rounds)
        if Part.TRAINING in chosen:
            from cli import bench_training

            figures += bench_training.measure(Path(folder), rounds)
        if Part.INTAKE in chosen:
            from cli import bench_intake

            for count in dict.fromkeys((max(1, files // 10), files)):  # the watcher's memory must not grow with the number of files
                measured = bench_intake.measure(count)
                of = f"{count:,} small PNG files at once"
                figures.append(Figure.over(Part.INTAKE, of, "taken in", "files/s", [measured["files_per_second"]]))
                figures.append(Figure.over(Part.INTAKE, of, "the watcher's peak memory", "MiB", [measured["peak_rss_kib"] / 1024]))
    if as_json:
        for figure in figures:
            print(json.dumps({**asdict(figure), "machine": _machine()}))
    elif markdown:
        print(_page(figures))
    else:
        _tables(figures)


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return f"{_processor()}, {cores} cores, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _cells(figure: Figure) -> tuple[str, ...]:
    digits = 0 if figure.value >= 1000 else 1 if figure.value >= 10 else 2
    return (figure.of, figure.what, *(f"{value:,.{digits}f}" for value in (figure.value, figure.low, figure.high)), figure.unit)


_COLUMNS: Final = ("of", "what", "median", "lowest", "highest", "unit")


def _tables(figures: Sequence[Figure]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(_machine())
    for part, title in _TITLES.items():
        table = Table(*_COLUMNS, title=title, title_justify="left")
        for figure in figures:
            if figure.part == part:
                table.add_row(*_cells(figure))
        if table.row_count:
            console.print(table)


def _page(figures: Sequence[Figure]) -> str:
    rounds = max(figure.rounds for figure in figures)
    medians = f"Medians of {rounds} rounds" if rounds > 1 else "One round"
    lines = [
        "# Performance",
        "",
        f"Made by `lungline bench --markdown` on: {_machine()}.",
        f"{medians} (intake: one), all ways timed in turn in each round.",
        "A ratio compares two ways within one round, so it holds better than absolute figures.",
        "The pictures are drawn. System 1 is the published Flask detector: VGG16, ResNet50, InceptionV3 and Xception at 224 x 224, with",
        "random weights.",
    ]
    for part, title in _TITLES.items():
        rows = [figure for figure in figures if figure.part == part]
        if rows:
            lines += ["", f"## {title}", "", f"| {' | '.join(_COLUMNS)} |", "|---|---|---:|---:|---:|---|"]
            lines += [f"| {' | '.join(_cells(figure))} |" for figure in rows]
    return "\n".join(lines)
