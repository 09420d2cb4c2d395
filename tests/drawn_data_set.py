"""Labelled pictures for retrainings: drawn, sound by the audit, learnt within some epochs, and with every split."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from tests.unit.training.drawn import Rows, save, write

FINDINGS = ("covid19", "pneumonia", "normal")
COUNTS = {"train": 20, "val": 12, "gate": 20, "test": 4}


def disc(kind: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A gray picture with a bright disc whose place tells the kind, 0 to 2."""
    pixels = rng.integers(0, 90, (96, 96), np.uint8)
    cv2.circle(pixels, (20 + 22 * kind, 26 + 16 * kind), 12, 230, -1)
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), 1.0), np.uint8)


def draw_data_set(folder: Path, *, seed: int = 3, counts: dict[str, int] = COUNTS, wrong: tuple[str, ...] = ()) -> Path:
    """Writes a data set of X-rays, so many a finding and split, two a patient.

    Args:
        folder: for manifest.csv and pictures.
        seed: of the pictures.
        counts: pictures a finding, by split.
        wrong: splits whose labels are shuffled.

    Returns:
        The folder.
    """
    rng = np.random.default_rng(seed)
    rows: Rows = []
    for split, count in counts.items():
        kinds = np.repeat(np.arange(3), count)
        said = np.random.default_rng(seed).permutation(kinds) if split in wrong else kinds  # the pictures stay as they are
        for number, (kind, label) in enumerate(zip(kinds, said, strict=True)):
            path = save(folder / "xray" / f"{seed}-{split}-{number}.png", disc(int(kind), rng))
            patient = f"DOE-{seed}-{split}-{number // 2}"
            row = {
                "path": str(path.relative_to(folder)),
                "modality": "xray",
                "label": FINDINGS[label],
                "patient": patient,
                "group": patient,
            }
            rows.append(row | {"source": f"clinic {number // 2 % 2}", "split": split})
    write(folder / "manifest.csv", rows)
    return folder
