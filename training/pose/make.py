"""From labelled scans and CT series to the folder that models/pose.py reads: weights, description, threshold."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lungline.progress import say
from lungline.store import replace_text
from models.pose import DESCRIPTION, KINDS, PREPROCESS, WEIGHTS
from training import datasets, provenance
from training.datasets import Example
from training.pose.fit import EPOCHS, fit
from training.pose.lessons import gather
from training.pose.projections import Volume, read_rendered, read_series


def make(roots: Sequence[Path], series: Sequence[Path], rendered: Sequence[Path], out: Path, seed: int) -> None:
    """Trains on the splits `train` and writes weights and description, with a threshold that `judge` puts in place.

    Args:
        roots: folders of labelled scans, each with `manifest.csv` and `neither/manifest.csv`.
        series: folders of a CT series in DICOM each, to project laterals from.
        rendered: manifests of slices that were rendered from -1200 to 0 Hounsfield units, for the same.
        out: the folder.
        seed: of all that is drawn.

    Raises:
        TrainingError: a manifest is missing or malformed.
    """
    volumes = volumes_of(series, rendered)
    lessons = gather(examples_of(roots, "train"), volumes, seed)
    weights = fit(lessons, seed)
    out.mkdir(parents=True, exist_ok=True)
    halves: dict[str, Any] = {name: array.astype(np.float16) for name, array in weights.items()}
    np.savez_compressed(out / WEIGHTS, **halves)
    told: dict[str, Any] = {
        "sha256": hashlib.sha256((out / WEIGHTS).read_bytes()).hexdigest(),
        "kinds": KINDS,
        "threshold": 0.5,
        "preprocess": PREPROCESS,
        "parameters": sum(array.size for array in weights.values()),
        "seed": seed,
        "epochs": EPOCHS,
        "data_sha256": [datasets.load(root, None).sha256 for root in roots],
        "pictures": {name: len(pictures) for name, pictures in lessons.pictures.items()} | {"projected films": len(lessons.projected)},
        "volumes": len(volumes),
        "libraries": provenance.libraries(),
    }
    replace_text(out / DESCRIPTION, json.dumps(told, indent=2) + "\n")
    say(f"pose: written to {out}; now set its threshold and judge it: python -m training.pose judge")


def volumes_of(series: Sequence[Path], rendered: Sequence[Path]) -> list[Volume]:
    """The CT series to project from."""
    return [*map(read_series, series), *(volume for one in rendered for volume in read_rendered(one))]


def examples_of(roots: Sequence[Path], split: str) -> list[Example]:
    """The pictures of a split, labelled xray, ct and neither."""
    return [example for root in roots for example in datasets.load(root, None).examples if example.split == split]
