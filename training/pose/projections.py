"""Films made of CT series: rays summed through the body, from the front and from the side. No collection at hand has lateral films."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from pydicom import dcmread

from models.preprocess import Pixels

Volume = npt.NDArray[np.float32]

# How far the beam may miss the exact front or side, in degrees; what lies between is neither.
_FRONT: Final = (-20, -10, 0, 10, 20)
_SIDE: Final = (60, 70, 80, 90, 100, 110, 120)
# How much more bone weakens the beam than its Hounsfield units say: the softer the beam, the more.
_BONE: Final = (0.5, 2.0)
_BODY: Final = -400.0  # Hounsfield units from here on are body or table
# Where the spine is drawn, in parts of the body's height and width, and how dense.
_SPINE_DEPTH: Final = (0.66, 0.78)
_SPINE_RADII: Final = (0.08, 0.065)
_SPINE_DENSITY: Final = (100.0, 450.0)


def read_series(folder: Path) -> Volume:
    """A CT series of DICOM files: Hounsfield units, float32 (slices, rows, columns), the head first."""
    slices = [dcmread(path) for path in folder.glob("*.dcm")]
    slices.sort(
        key=lambda plane: -float(plane.get("SliceLocation", 0) if "ImagePositionPatient" not in plane else plane.ImagePositionPatient[2])
    )
    return np.stack([plane.pixel_array * np.float32(plane.RescaleSlope) + np.float32(plane.RescaleIntercept) for plane in slices]).astype(
        np.float32
    )


def read_rendered(manifest: Path) -> list[Volume]:
    """The patients of a manifest of slices that were rendered from -1200 to 0 Hounsfield units and numbered from the feet; head first."""
    patients: dict[str, list[tuple[int, Path]]] = {}
    with manifest.open(newline="") as file:
        for row in csv.DictReader(file):
            patients.setdefault(row["patient"], []).append((int(row["slice"]), manifest.parent.parent / row["path"]))
    return [np.stack([_rendered(path) for _, path in sorted(slices, reverse=True)]) for slices in patients.values()]


def _rendered(path: Path) -> npt.NDArray[np.float32]:
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    return gray.astype(np.float32) * np.float32(1200 / 255) - np.float32(1200)


def vary(volume: Volume, rng: np.random.Generator) -> Volume:
    """Another body made of one: cut below the neck and above the belly, wider or deeper, with a spine drawn into it.

    Few patients may be learnt from, and slices that were rendered up to 0 Hounsfield units hold no bone.
    """
    first, last = round(len(volume) * rng.uniform(0, 0.15)), round(len(volume) * rng.uniform(0.7, 1))
    body = _with_spine(volume[first:last], rng)
    rows, columns = body.shape[1:]
    across, deep = rng.uniform(0.8, 1.15, 2)
    matrix = np.array([[across, 0, (1 - across) * (columns - 1) / 2], [0, deep, (1 - deep) * (rows - 1) / 2]])
    stretched = [cv2.warpAffine(plane, matrix, (columns, rows), flags=cv2.INTER_LINEAR, borderValue=(-1000.0,)) for plane in body]
    return np.stack(stretched).astype(np.float32)


def _with_spine(volume: Volume, rng: np.random.Generator) -> Volume:
    """Denser where vertebrae are in a patient who lies on the back; lung stays lung."""
    rows, columns = np.nonzero(_without_table(volume[len(volume) // 2]) > _BODY)
    if not len(rows):
        return volume
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    row = rows.min() + rng.uniform(*_SPINE_DEPTH) * height
    column = (columns.min() + columns.max()) / 2
    down, along = np.indices(volume.shape[1:])
    distance = ((down - row) / (_SPINE_RADII[0] * height)) ** 2 + ((along - column) / (_SPINE_RADII[1] * width)) ** 2
    vertebra = np.clip(1.5 - distance, 0, 1) * rng.uniform(*_SPINE_DENSITY)
    vertebrae = rng.uniform(9, 16)  # in view
    height_in_vertebra = np.arange(len(volume)) / len(volume) * vertebrae % 1
    dense = np.where(height_in_vertebra < 0.8, 1.0, 0.3)  # discs between them
    return np.where(volume > -200, volume + dense[:, np.newaxis, np.newaxis] * vertebra, volume).astype(np.float32)


def project_films(volume: Volume, *, lateral: bool) -> Iterator[Pixels]:
    """Films of a volume, with and without the table, at several angles and of several beams; float32 (160, 160) in [0, 1].

    Rays are parallel, and the film shows the sum of what weakens them (after Beer and Lambert), as a detector's logarithm does.
    """
    for with_table in (True, False):
        body = volume if with_table else np.stack([_without_table(plane) for plane in volume])
        for angle in _SIDE if lateral else _FRONT:
            turned = np.stack([_turned(plane, angle) for plane in body])
            for bone in _BONE:
                weakening = np.clip(turned + 1000, 0, None) + bone * np.clip(turned - 100, 0, None)
                summed = weakening.sum(axis=1)
                low, high = np.percentile(summed, (0.5, 99.5))
                yield np.asarray(cv2.resize(np.clip((summed - low) / (high - low), 0, 1), (160, 160)), np.float32)


def _turned(plane: npt.NDArray[np.float32], angle: float) -> npt.NDArray[np.float32]:
    rows, columns = plane.shape
    matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), angle, 1)
    return np.asarray(cv2.warpAffine(plane, matrix, (columns, rows), flags=cv2.INTER_LINEAR, borderValue=(-1000.0,)), np.float32)


def _without_table(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The largest dense area and what it encloses; all else air."""
    dense = cv2.morphologyEx((plane > _BODY).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(dense, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return plane
    body = np.zeros_like(dense)
    cv2.drawContours(body, [max(outlines, key=cv2.contourArea)], 0, 1, cv2.FILLED)
    return np.where(body > 0, plane, np.float32(-1000))
