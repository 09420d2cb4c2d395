"""A tiny labelled data set of made pictures, as `lungline train` reads it."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest


def _picture(kind: int, rng: np.random.Generator) -> bytes:
    """A gray JPEG whose bright disc lies elsewhere for each kind."""
    pixels = rng.integers(0, 90, (64, 56), np.uint8)
    cv2.circle(pixels, (14 + 14 * kind, 20 + 12 * kind), 10, 220, -1)
    return bytes(cv2.imencode(".jpg", pixels)[1])


def _write(manifest: Path, rows: list[dict[str, str]]) -> None:
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with manifest.csv, xray/, ct/ and neither/: four pictures a label, source and split."""
    root = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(3)
    rows, negatives = [], []
    labels = [("xray", "covid19"), ("xray", "pneumonia"), ("xray", "normal"), ("ct", "covid19"), ("ct", "non_covid"), ("ct", "cap")]
    for split in ("train", "val", "test"):
        for kind, (modality, label) in enumerate(labels):
            for number in range(4):
                path = root / modality / f"{label}-{split}-{number}.jpg"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(_picture(kind % 3, rng))
                group = f"{modality}-{label}-{split}-{number // 2}"
                row = {"path": str(path.relative_to(root)), "modality": modality, "label": label}
                rows.append(row | {"group": group, "source": f"source {number % 2} (a copy)", "split": split})
        for number in range(4):
            path = root / "neither" / f"{split}-{number}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(bytes(cv2.imencode(".jpg", rng.integers(0, 255, (50, 50), np.uint8))[1]))
            negatives.append({"path": path.name, "group": f"neither-{split}-{number}", "source": "made", "split": split})
    _write(root / "manifest.csv", rows)
    _write(root / "neither" / "manifest.csv", negatives)
    return root
