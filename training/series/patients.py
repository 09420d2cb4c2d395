"""What the CT ensemble that ships says of patients' slices, a patient a row: what rules are chosen and reported on."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from imaging.read import read
from lungline.findings import Modality, finding_of
from models import registry
from models.ensemble import Ensemble
from models.lungs import find_lungs
from models.preprocess import prepare
from models.series_rule import SliceScore
from training.data import datasets

_BATCH: Final = 64


@dataclass(frozen=True)
class Patient:
    """The slices of one patient, or of what belongs together."""

    name: str
    source: str
    is_covid19: bool
    slices: tuple[SliceScore, ...]


@dataclass(frozen=True)
class Picture:
    """A slice that is to be scored."""

    path: Path
    patient: str
    source: str
    is_covid19: bool
    position: float | None


def of_folder(root: Path, splits: Sequence[str]) -> list[Picture]:
    """The CT slices of a labelled data set in some splits.

    Raises:
        TrainingError: its manifest is missing or malformed.
    """
    examples = datasets.load(root, Modality.CT).examples
    return [
        Picture(example.path, example.group, example.origin, finding_of(Modality.CT, example.label) == "covid19", None)
        for example in examples
        if example.split in splits
    ]


def of_table(table: Path) -> list[Picture]:
    """The slices of whole series: a CSV with `path`, relative to `slices.csv`'s data set or to the file, and `slice`.

    `patient` or `series` names the patient, else the folder; `label_of_patient` or `label` the finding, else it is covid19.
    """
    pictures = []
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            path = table.parent.parent / row["path"]
            patient = row.get("patient") or row.get("series") or path.parent.name
            label = row.get("label_of_patient") or row.get("label") or "covid19"
            pictures.append(Picture(path, patient, table.parent.name, finding_of(Modality.CT, label) == "covid19", float(row["slice"])))
    return pictures


def score(pictures: Iterable[Picture], lung_share_min: float) -> list[Patient]:
    """Asks the ensemble that ships; slices beyond the lungs are left out, but where a patient has no other."""
    ensemble = registry.load_ensemble(registry.shipped()[Modality.CT])
    ordered = list(pictures)
    scored: dict[tuple[str, str, bool], list[tuple[SliceScore, float]]] = defaultdict(list)
    for start in range(0, len(ordered), _BATCH):
        some = ordered[start : start + _BATCH]
        for picture, answer in zip(some, _ask(ensemble, some), strict=True):
            scored[picture.source, picture.patient, picture.is_covid19].append((SliceScore(picture.position, answer[0]), answer[1]))
    patients = []
    for (source, name, is_covid19), answers in sorted(scored.items()):
        lung = [slice_ for slice_, share in answers if share >= lung_share_min]
        patients.append(Patient(name, source, is_covid19, tuple(lung or [slice_ for slice_, _ in answers])))
    return patients


def _ask(ensemble: Ensemble, pictures: Sequence[Picture]) -> list[tuple[float, float]]:
    """Probability of covid19 and share of the lungs, of each."""
    pixels = [read(picture.path.read_bytes()).pixels for picture in pictures]
    inputs = {name: np.stack([prepare(name, pixel) for pixel in pixels]) for name in ensemble.preprocesses}
    answers = ensemble.judge(inputs)
    return [(answer.probabilities["covid19"], find_lungs(first).share) for answer, first in zip(answers, pixels, strict=True)]
