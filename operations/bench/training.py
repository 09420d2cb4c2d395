"""What inference keeps of its speed while a training runs beside it: two ways timed in one run, on drawn pictures."""

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from db import runs
from db.migrate import open_database
from lungline.findings import FINDINGS, Modality
from lungline.layout import Home
from lungline.progress import steps
from lungline.settings import Settings
from models import registry, speed
from operations.bench.figures import BenchFigure, Part
from operations.bench.pictures import write_noted
from operations.own_stack import Process, StackError, asking, running, settings_for, wait_for

_FILES: Final = 300  # a round
_PICTURES: Final = 32
_RECIPE: Final = "xray-cnn"  # trained from nothing, so that no base weights are needed
_COUNTS: Final = {"train": 300, "val": 30, "gate": 30}  # pictures a finding: an epoch takes longer than a round
_PATIENCE_SECONDS: Final = 600.0
_DONE: Final = "SELECT count(*) FROM scan_results"
_EPOCHS: Final = "SELECT coalesce(max(epochs_done), 0) FROM training_runs WHERE state = 'running'"


def measure(folder: Path, rounds: int) -> list[BenchFigure]:
    """Times the shipped X-ray ensemble from file to row, alone and beside a training."""
    home = folder / "home-training"
    home.mkdir(parents=True)
    _draw(folder / "labelled")
    Home(home).settings_file.write_text(f'training_data = "{folder / "labelled"}"\n')
    settings = settings_for(home)
    name = registry.shipped()[Modality.XRAY].version
    drawn = speed.admitted(Modality.XRAY, _PICTURES)
    with running(settings) as up, asking(settings) as ask, steps("beside a training", 2 * rounds) as step:

        def round_of(number: int) -> float:
            write_noted(settings.layout.draft / "xray", drawn, _FILES, str(number))
            began = time.perf_counter()
            settings.layout.draft.rename(settings.inbox / str(number))
            wait_for(lambda: ask(_DONE), (number + 1) * _FILES, up, "Not all scans were read; see `lungline doctor`.")
            step()
            return _FILES / (time.perf_counter() - began)

        alone = [round_of(number) for number in range(rounds)]
        engine = open_database(settings)
        with engine.begin() as connection:
            runs.enter(connection, "hand", (_RECIPE,))
        engine.dispose()
        _wait_until_it_trains(ask, up, settings)
        beside = [round_of(rounds + number) for number in range(rounds)]
        _require_it_trains(ask)
    ratios = [with_training / without for with_training, without in zip(beside, alone, strict=True)]
    return [
        BenchFigure.over(Part.TRAINING, name, f"{_FILES} PNG files at once, no training", "images/s", alone),
        BenchFigure.over(Part.TRAINING, name, f"the same while {_RECIPE} is trained", "images/s", beside),
        BenchFigure.over(Part.TRAINING, name, "with a training beside it, over without", "ratio", ratios),
    ]


def _wait_until_it_trains(ask: Callable[..., int], up: Process, settings: Settings) -> None:
    failure = f"No training began; see {settings.layout.logs / 'training.log'}."
    wait_for(lambda: ask(_EPOCHS), 1, up, failure, patience=_PATIENCE_SECONDS)


def _require_it_trains(ask: Callable[..., int]) -> None:
    if not ask("SELECT count(*) FROM training_runs WHERE state = 'running'"):
        raise StackError("The training ended before the last round; use fewer --rounds.")


def _draw(folder: Path) -> None:
    """Labelled pictures of nothing: noise with a disc whose place tells the finding."""
    rng = np.random.default_rng(0)
    (folder / "xray").mkdir(parents=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("path", "modality", "label", "patient", "group", "source", "split"))
        for split, count in _COUNTS.items():
            for kind, label in enumerate(FINDINGS[Modality.XRAY]):
                for number in range(count):
                    pixels = rng.integers(0, 90, (128, 128), np.uint8)
                    cv2.circle(pixels, (28 + 30 * kind, 34 + 22 * kind), 16, 230, -1)
                    path = folder / "xray" / f"{split}-{label}-{number}.png"
                    path.write_bytes(cv2.imencode(".png", cv2.GaussianBlur(pixels, (0, 0), 1.0))[1].tobytes())
                    group = f"{split}-{label}-{number // 2}"
                    table.writerow((f"xray/{path.name}", "xray", label, "", group, f"clinic {number // 2 % 2}", split))
