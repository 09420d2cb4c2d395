"""The networks alone: as a published application runs them, kept, and by each runtime, timed in turn on the same pictures."""

import time
from pathlib import Path

from lungline.findings import Modality
from lungline.progress import steps
from models import registry, speed
from models.files import EnsembleFiles
from operations.bench.figures import BenchFigure, Part


def measure(folder: Path, rounds: int) -> list[BenchFigure]:
    """Times every way to run the shipped ensembles and system 1. Needs some minutes and 4 GB of memory."""
    cases = {files.version: files for files in registry.shipped().values()}
    cases[speed.SYSTEM_1] = speed.system_1(folder / "system-1")
    return [figure for name, files in cases.items() for figure in _measure(name, files, folder, rounds)]


def _measure(name: str, files: EnsembleFiles, folder: Path, rounds: int) -> list[BenchFigure]:
    saved = folder / f"saved-{files.version}"
    saved.mkdir()
    ways = list(speed.ways(files, folder / "cache", saved))
    given = speed.inputs(files, speed.admitted(files.modality or Modality.XRAY, max(way.pictures for way in ways)))
    rates: dict[str, list[float]] = {way.name: [] for way in ways}
    with steps(f"networks of {name}", (rounds + 1) * len(ways)) as step:
        for number in range(rounds + 1):
            for way in ways:
                share = {preprocess: pictures[: way.pictures] for preprocess, pictures in given.items()}
                began = time.perf_counter()
                way.run(share)
                if number:  # the first round warms up
                    rates[way.name].append(way.pictures / (time.perf_counter() - began))
                step()
    slowest = rates[ways[0].name]
    figures = [BenchFigure.over(Part.NETWORKS, name, what, "images/s", values) for what, values in rates.items()]
    for what, values in list(rates.items())[1:]:
        times = [value / base for value, base in zip(values, slowest, strict=True)]
        figures.append(BenchFigure.over(Part.NETWORKS, name, f"{what}, over the published way", "ratio", times))
    return figures
