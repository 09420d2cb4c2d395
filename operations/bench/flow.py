"""From file to row: drawn pictures through a running Lungline, beside what the runtime alone reaches on the same pictures."""

import time
from pathlib import Path
from typing import Final

import numpy as np

from db import versions
from db.migrate import open_database
from lungline.layout import Store
from lungline.progress import steps
from models import registry, speed
from models.ensemble import Ensemble
from models.files import EnsembleFiles, adopt
from models.runtimes.choice import RuntimeChoice
from models.speed import Inputs
from operations.bench.figures import BenchFigure, Part
from operations.bench.pictures import write_noted
from operations.own_stack import StackError, asking, running, settings_for, wait_for
from workers import catalogue

_PICTURES: Final = 64  # different ones; each file holds one of them and a note that tells it from the others
_DONE: Final = "SELECT count(*) FROM scan_results"
_WITH_VERDICT: Final = f"{_DONE} WHERE ensemble = :version AND finding IS NOT NULL"


def measure(folder: Path, rounds: int) -> list[BenchFigure]:
    """Times the champions that ship, and system 1, each on a home of its own."""
    figures = []
    for files in registry.shipped().values():
        figures += _measure(files.version, files, folder / f"home-{files.name}", rounds, count=600)
    files = speed.system_1(folder / "system-1-flow")
    home = folder / "home-system-1"
    _promote(files, folder / "system-1-flow", home)
    return figures + _measure(speed.SYSTEM_1, files, home, rounds, count=300)


def _measure(name: str, files: EnsembleFiles, home: Path, rounds: int, *, count: int) -> list[BenchFigure]:
    assert files.modality
    settings = settings_for(home)
    drawn = speed.admitted(files.modality, _PICTURES)
    given = speed.inputs(files, drawn)
    alone, through = [], []
    with running(settings) as up, asking(settings) as ask, steps(f"flow of {name}", 2 * rounds) as step:
        ensemble = registry.load_ensemble(files, RuntimeChoice.of(settings))
        ensemble.warm(settings.batch_max)
        for number in range(rounds):
            alone.append(count / runtime_seconds(ensemble, given, count, settings.batch_max))
            step()
            write_noted(settings.layout.draft / files.modality.value, drawn, count, str(number))
            began = time.perf_counter()
            settings.layout.draft.rename(settings.inbox / str(number))
            wait_for(lambda: ask(_DONE), (number + 1) * count, up, "Not all scans were read; see `lungline doctor`.")
            through.append(count / (time.perf_counter() - began))
            step()
        if (
            ask(_WITH_VERDICT, version=files.version) != rounds * count
        ):  # turned away or judged by another ensemble: not what is to be timed
            raise StackError(f"Not all scans were read by `{files.version}`: some were rejected or quarantined.")
    ratios = [whole / engine for whole, engine in zip(through, alone, strict=True)]
    return [
        BenchFigure.over(Part.FLOW, name, f"the runtime alone, batches of {settings.batch_max}", "images/s", alone),
        BenchFigure.over(Part.FLOW, name, f"{count} PNG files at once, quiet period included", "images/s", through),
        BenchFigure.over(Part.FLOW, name, "from file to row, over the runtime alone", "ratio", ratios),
    ]


def _promote(files: EnsembleFiles, folder: Path, home: Path) -> None:
    """Lets an ensemble in `folder` judge at `home`."""
    settings = settings_for(home)
    models = Store(settings.store).models
    adopt(folder, models)
    engine = open_database(settings)
    with engine.begin() as connection:
        catalogue.enter(connection, models)
        versions.promote(connection, files.version, [place.member.version for place in files.places], "lungline bench", "to be timed")
    engine.dispose()


def runtime_seconds(ensemble: Ensemble, given: Inputs, count: int, batch_max: int) -> float:
    """Seconds for `count` pictures, prepared beforehand."""
    different = len(next(iter(given.values())))
    began = time.perf_counter()
    for start in range(0, count, batch_max):
        rows = np.arange(start, min(start + batch_max, count)) % different
        ensemble.judge({name: pictures[rows] for name, pictures in given.items()})
    return time.perf_counter() - began
