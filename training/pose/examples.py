"""What the pose network learns from: films turned and inverted on purpose, slices and their negatives, laterals that were projected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from imaging import phantoms
from imaging.read import read
from lungline.findings import Modality
from models.admission import NEITHER
from models.pose import CT, CT_NEGATIVE, FILMS, KINDS, LATERAL, OTHER, PREPROCESS
from models.preprocess import Pixels, prepare
from training.data import synthetic_negatives
from training.data.datasets import Example
from training.pose.projections import Volume, project_films, vary

# Pictures are kept at this side, so that each look can be cut, turned and blurred anew.
_KEPT: Final = 96
# How often each kind is shown.
_SHARES: Final = {Modality.XRAY.value: 0.42, Modality.CT.value: 0.3, LATERAL: 0.1, NEITHER: 0.18}
_UPRIGHT: Final = 0.3  # of the films; all other poses alike
_PROJECTED_FILMS: Final = 0.08  # of the films: frontal projections, or the look of a projection would be what tells a lateral
_BODIES: Final = 8  # made of each volume, beside itself
_GUISES: Final = 2
_DRAWN: Final = 0.5
_CHESTS: Final = 60
_CHEST_SEEDS: Final = 20_000  # from here on, so that none is drawn that a demonstration or a test shows

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PoseExamples:
    """Pictures as they should lie, uint8 (side, side); by xray, ct, lateral and neither. `projected`: frontal films of volumes."""

    pictures: dict[str, list[Picture]]
    projected: list[Picture]
    shuffled: bool = False
    """Whether each picture of a draw is called what another of it is: a control that must learn nothing."""

    def draw(self, number: int, rng: np.random.Generator) -> tuple[Pixels, npt.NDArray[np.intp]]:
        """Pictures as the network sees them, each in a pose drawn at random, and the numbers of their kinds."""
        names = rng.choice(list(_SHARES), number, p=list(_SHARES.values()))
        drawn = [self._draw(str(name), rng) for name in names]
        kinds = np.array([KINDS.index(kind) for _, kind in drawn], np.intp)
        return np.stack([picture for picture, _ in drawn]), rng.permutation(kinds) if self.shuffled else kinds

    def _draw(self, name: str, rng: np.random.Generator) -> tuple[Pixels, str]:
        pictures = self.pictures[name]
        if name == Modality.XRAY and rng.random() < _PROJECTED_FILMS:
            pictures = self.projected
        picture = _changed(pictures[int(rng.integers(len(pictures)))].astype(np.float32) / np.float32(255), name, rng)
        pose = 0 if rng.random() < _UPRIGHT else int(rng.integers(len(FILMS)))
        is_written_first = rng.random() < 0.5  # what is written on a film may be turned and inverted with it, or not
        picture = _posed(_written_on(picture, rng), pose) if is_written_first else _written_on(_posed(picture, pose), rng)
        picture = prepare(PREPROCESS, np.clip(picture + rng.normal(0, rng.uniform(0, 0.03), picture.shape).astype(np.float32), 0, 1))
        if name == Modality.XRAY:
            return picture, FILMS[pose]
        if name == Modality.CT:
            return picture, CT_NEGATIVE if pose >= 4 else CT
        return picture, LATERAL if name == LATERAL else OTHER


def gather(examples: Sequence[Example], volumes: Iterable[Volume], seed: int) -> PoseExamples:
    """Reads training pictures, draws more strangers, and projects volumes.

    Args:
        examples: of the split `train`, labelled xray, ct and neither.
        volumes: CT series in Hounsfield units, (slices, rows, columns), the head first.
        seed: of what is drawn.
    """
    rng = np.random.default_rng(seed)
    pictures: dict[str, list[Picture]] = {name: [] for name in _SHARES}
    projected = []
    for example in examples:
        pixels = read(Path(example.path).read_bytes()).pixels
        pictures[example.label].append(kept(pixels))
        if example.label == NEITHER:
            pictures[NEITHER] += [kept(guise) for guise in synthetic_negatives.guises(pixels, _GUISES, rng)]
    pictures[NEITHER] += [kept(drawing) for drawing in synthetic_negatives.drawn(round(_DRAWN * len(pictures[NEITHER])), rng)]
    for modality in Modality:
        pictures[modality] += [kept(_chest(modality, number)) for number in range(_CHESTS)]
    for volume in volumes:
        for body in (volume, *(vary(volume, rng) for _ in range(_BODIES))):
            pictures[LATERAL] += [kept(film) for film in project_films(body, lateral=True)]
            projected += [kept(film) for film in project_films(body, lateral=False)]
    return PoseExamples(pictures, projected)


def kept(pixels: Pixels) -> Picture:
    """A small copy of a picture, uint8 (side, side)."""
    small = cv2.resize(pixels, (_KEPT, _KEPT), interpolation=cv2.INTER_AREA)
    return np.asarray(np.round(255 * np.clip(small, 0, 1)), np.uint8)


def _chest(modality: Modality, number: int) -> Pixels:
    return phantoms.picture(modality.value, _CHEST_SEEDS + number).astype(np.float32) / np.float32(255)


def _posed(picture: Pixels, pose: int) -> Pixels:
    turned = np.rot90(picture, pose % 4)
    return np.ascontiguousarray(1 - turned if pose >= 4 else turned)


def _changed(picture: Pixels, name: str, rng: np.random.Generator) -> Pixels:
    """Mirrored, turned a little, shifted, cut or shrunk, and of another exposure. Around a slice is air, which is black."""
    side = picture.shape[0]
    centre = (side - 1) / 2
    matrix = cv2.getRotationMatrix2D((centre, centre), rng.uniform(-12, 12), rng.uniform(0.85, 1.3))
    across = 2 ** rng.uniform(-0.25, 0.25)
    matrix[0] = matrix[0] * across + np.array([0, 0, centre * (1 - across)])
    matrix[:, 2] += rng.uniform(-0.1, 0.1, 2) * side
    if rng.random() < 0.5:
        matrix[0] *= -1
        matrix[0, 2] += side - 1
    around = 0.0 if name == Modality.CT else float(rng.choice([0.0, 1.0, rng.random()], p=[0.6, 0.15, 0.25]))
    mode = cv2.BORDER_REPLICATE if rng.random() < 0.4 else cv2.BORDER_CONSTANT
    moved = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=mode, borderValue=around)
    moved = np.power(np.clip(moved, 0, 1), np.float32(2 ** rng.uniform(-1, 1)))
    if (sigma := rng.uniform(-1, 1)) > 0.3:
        moved = cv2.GaussianBlur(moved, (0, 0), sigma)
    return np.asarray(moved, np.float32)


def _written_on(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """With a collimator's edge, a frame, a marker or a line of text, each now and then, black, gray or white."""
    picture = picture.copy()
    side = picture.shape[0]
    if rng.random() < 0.3:
        width, shade = int(rng.integers(1, side // 8)), float(rng.choice([0.0, 1.0, rng.random()]))
        for edge in (np.s_[:width], np.s_[-width:], np.s_[:, :width], np.s_[:, -width:]):
            if rng.random() < 0.6:
                picture[edge] = shade
    for _ in range(int(rng.integers(0, 3)) if rng.random() < 0.5 else 0):
        at = (int(rng.integers(0, side - 8)), int(rng.integers(8, side)))
        text = "".join(rng.choice(list("LRAPSUPINE0123456789"), int(rng.integers(1, 8))))
        ink = np.zeros(picture.shape, np.uint8)  # OpenCV writes on bytes alone
        cv2.putText(ink, text, at, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.2, 0.5), 255, 1, cv2.LINE_AA)
        share = ink.astype(np.float32) / np.float32(255)
        picture = picture * (1 - share) + share * np.float32(rng.integers(2))
    return picture
