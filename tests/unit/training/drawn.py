"""Drawn pictures of nobody, no two alike, and data sets of them, sound but for what a test plants."""

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Rows = list[dict[str, str]]


def cloudy(seed: int, side: int = 96) -> Picture:
    """Clouds of several sizes, uint8 (side, side): as different from seed to seed as two people."""
    rng = np.random.default_rng(seed)
    clouds = sum(cv2.GaussianBlur(rng.normal(0, 1, (side, side)), (0, 0), blur) * blur for blur in (1.5, 4, 10))
    return np.asarray(cv2.normalize(np.asarray(clouds), np.zeros(0), 0, 255, cv2.NORM_MINMAX), np.uint8)


def save(path: Path, picture: Picture, quality: int = 95) -> Path:
    """Writes a picture in the format of the path's end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(cv2.imencode(path.suffix, picture, [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix == ".jpg" else [])[1]))
    return path


def write(manifest: Path, rows: Rows) -> Path:
    """Writes a table."""
    manifest.parent.mkdir(parents=True, exist_ok=True)
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return manifest


def read(manifest: Path) -> Rows:
    """Reads a table."""
    with manifest.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sound(folder: Path, draw: Callable[[int], Picture] = cloudy) -> Path:
    """A manifest of 72 X-rays, 12 a finding and split (train twice), two a patient, of two sources; nothing is wrong with it."""
    rows: Rows = []
    for label in ("covid19", "pneumonia", "normal"):
        for split, count in (("train", 12), ("val", 6), ("test", 6)):
            for number in range(count):
                patient = f"DOE-{label}-{split}-{number // 2}"
                path = save(folder / f"{label}-{split}-{number}.jpg", draw(len(rows)))
                row = {"path": path.name, "modality": "xray", "label": label, "patient": patient, "group": patient}
                rows.append(row | {"source": f"clinic {number // 2 % 2}", "split": split})
    return write(folder / "manifest.csv", rows)
