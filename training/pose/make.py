"""From labelled scans and CT series to the folder that models/pose.py reads: weights, description, threshold."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lungline.durable import replace_text
from lungline.errors import TrainingError
from lungline.progress import say
from models.pose import DESCRIPTION, KINDS, PREPROCESS, WEIGHTS
from models.records import PoseRecord
from training.data import datasets, manifests
from training.data.datasets import Example
from training.fitting import provenance
from training.pose.examples import gather
from training.pose.fit import EPOCHS, fit
from training.pose.projections import Volume, read_rendered, read_series


def make(roots: Sequence[Path], series: Sequence[Path], rendered: Sequence[Path], out: Path, seed: int) -> None:
    """Trains on the splits `train` and writes weights and description, with a threshold that `judge` puts in place.

    Args:
        roots: folders of labelled scans, each with `manifest.csv` and `neither/manifest.csv`.
        series: folders of a CT series in DICOM each, to project laterals from; named after a patient of the split `train`.
        rendered: manifests of slices that were rendered from -1200 to 0 Hounsfield units, for the same.
        out: the folder.
        seed: of all that is drawn.

    Raises:
        TrainingError: a manifest is missing or malformed, or a series is not of the split `train`.
    """
    volumes = read_volumes(roots, series, rendered)
    pose_examples = gather(load_examples(roots, "train"), volumes, seed)
    weights = fit(pose_examples, seed)
    out.mkdir(parents=True, exist_ok=True)
    halves: dict[str, Any] = {name: array.astype(np.float16) for name, array in weights.items()}
    np.savez_compressed(out / WEIGHTS, **halves)
    counts = {name: len(pictures) for name, pictures in pose_examples.pictures.items()}
    record = PoseRecord(
        sha256=hashlib.sha256((out / WEIGHTS).read_bytes()).hexdigest(),
        kinds=KINDS,
        threshold=0.5,
        preprocess=PREPROCESS,
        parameters=sum(array.size for array in weights.values()),
        seed=seed,
        epochs=EPOCHS,
        data_sha256=tuple(datasets.load(root, None).sha256 for root in roots),
        pictures=counts | {"projected films": len(pose_examples.projected)},
        volumes=len(volumes),
        libraries=provenance.in_words(provenance.libraries()),
    )
    replace_text(out / DESCRIPTION, record.text())
    say(f"pose: written to {out}; now set its threshold and evaluate it: python -m training.pose judge")


def read_volumes(roots: Sequence[Path], series: Sequence[Path], rendered: Sequence[Path]) -> list[Volume]:
    """The CT series to project from, all of patients of the split `train`.

    Raises:
        TrainingError: a patient is of another split, or of none.
    """
    splits = find_splits_of_patients(roots)
    patients = [folder.name for folder in series] + [row["patient"] for path in rendered for row in manifests.table_of(path)]
    if refused := {patient for patient in patients if splits.get(short_name(patient)) != {"train"}}:
        raise TrainingError(
            f"{len(refused)} of the CT series are of patients that the manifests do not have in the split `train`. "
            "Leave them out of --series and --rendered; `python -m training.pose judge --series` may use them."
        )
    return [*map(read_series, series), *(volume for path in rendered for volume in read_rendered(path))]


def find_splits_of_patients(roots: Sequence[Path]) -> dict[str, set[str]]:
    """The splits in which the pictures of each patient are, by the patient's short name."""
    splits: dict[str, set[str]] = {}
    for root in roots:
        for row in manifests.read(root / "manifest.csv"):
            splits.setdefault(short_name(row.patient), set()).add(row.split)
    return splits


def short_name(patient: str) -> str:
    """What manifests and folders call a patient alike: `P001` is `ctmd_P001` there and `covid_ct_md_P001` here."""
    return patient.rsplit("_", 1)[-1].casefold()


def load_examples(roots: Sequence[Path], split: str) -> list[Example]:
    """The pictures of a split, labelled xray, ct and neither."""
    return [example for root in roots for example in datasets.load(root, None).examples if example.split == split]
