"""`lungline bench`: how fast this machine is, as ratios measured in one run, since absolute figures hold nowhere else."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Final

import typer

from cli.output import print_rows
from operations.bench.figures import BenchFigure, Part

_TITLES: Final = {
    Part.NETWORKS: "Networks alone",
    Part.FLOW: "From file to row, through a running Lungline",
    Part.INTAKE: "Taking files in",
    Part.TRAINING: "Reading while a training runs",
    Part.SERIES: "A whole CT, through a running Lungline",
    Part.VIEWS: "Views of a large archive",
}


def bench(
    parts: Annotated[list[Part] | None, typer.Argument(help="What to measure. Default: all.", show_default=False)] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each variant is timed, in turn with the others.")] = 3,
    files: Annotated[int, typer.Option(min=1, help="The number of files for the intake.")] = 100_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each figure.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Tables as in docs/performance.md.")] = False,
) -> None:
    """Measure the speed of networks, reading, reading during a training, intake, a whole CT, and views, in separate homes."""
    from lungline import log
    from operations.bench.measure import describe_machine, measure
    from supervisor import own_broker

    log.configure("bench")  # to standard error: standard output is for figures
    figures = measure(parts or list(Part), rounds, files, own_broker.command)
    machine = describe_machine()
    if as_json:
        print_rows(({**asdict(figure), "machine": machine} for figure in figures), as_json=True)
    elif markdown:
        print(page(figures, machine))
    else:
        print_tables(figures, machine)


def _cells(figure: BenchFigure) -> tuple[str, ...]:
    digits = 0 if figure.value >= 1000 else 1 if figure.value >= 10 else 2
    return (figure.of, figure.what, *(f"{value:,.{digits}f}" for value in (figure.value, figure.low, figure.high)), figure.unit)


_COLUMNS: Final = ("of", "what", "median", "lowest", "highest", "unit")


def print_tables(figures: Sequence[BenchFigure], machine: str) -> None:
    """Prints a table a part."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(machine)
    for part, title in _TITLES.items():
        table = Table(*_COLUMNS, title=title, title_justify="left")
        for figure in figures:
            if figure.part == part:
                table.add_row(*_cells(figure))
        if table.row_count:
            console.print(table)


def page(figures: Sequence[BenchFigure], machine: str) -> str:
    """The figures as docs/performance.md has them."""
    rounds = max(figure.rounds for figure in figures)
    medians = f"Medians of {rounds} rounds" if rounds > 1 else "One round"
    lines = [
        "# Performance",
        "",
        f"Measured by `lungline bench --markdown` on: {machine}.",
        f"{medians} (intake: one); in each round, all variants are timed one after the other.",
        "A ratio compares two variants within one round, so it is more reliable than absolute figures.",
        "The pictures are drawn.",
        "System 1 is the published Flask detector: VGG16, ResNet50, InceptionV3 and Xception at 224 x 224, with random weights.",
    ]
    for part, title in _TITLES.items():
        rows = [figure for figure in figures if figure.part == part]
        if rows:
            lines += ["", f"## {title}", "", f"| {' | '.join(_COLUMNS)} |", "|---|---|---:|---:|---:|---|"]
            lines += [f"| {' | '.join(_cells(figure))} |" for figure in rows]
    return "\n".join(lines)
