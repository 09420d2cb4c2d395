"""How a chest picture lies: upright or turned, positive or negative, from the front or from the side. A small network, run by numpy alone.

It is asked before pictures are prepared for the other networks, in the reader's process, which has no runtime: what lies wrong is turned
right there, once for all networks. It is a part of preparing, as models/lungs.py is, so no champion and no row of the database names it.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from lungline.errors import ModelError
from lungline.findings import Modality
from lungline.reasons import Reason
from models.calibration import probabilities
from models.preprocess import Pixels, prepare
from models.records import PoseRecord

SHIPPED: Final = Path(__file__).parent / "shipped" / "pose"
WEIGHTS: Final = "pose.npz"
DESCRIPTION: Final = "pose.json"
PREPROCESS: Final = "gray-64"

# The outputs: a frontal film by its quarter turns (anticlockwise, as numpy.rot90 makes them), positive and negative; then all else.
FILMS: Final = tuple(f"film_{turns * 90}{sign}" for sign in ("", "_negative") for turns in range(4))
LATERAL, CT, CT_NEGATIVE, OTHER = "lateral", "ct", "ct_negative", "other"
KINDS: Final = (*FILMS, LATERAL, CT, CT_NEGATIVE, OTHER)

# How a picture may lie that the networks know; what is `other` is admission's to turn away.
RIGHT: Final = ("film_0", CT, OTHER)
# What header or folder say rules the rest out.
_POSSIBLE: Final = {
    None: KINDS,
    Modality.XRAY: (*FILMS, LATERAL, OTHER),
    Modality.CT: (CT, CT_NEGATIVE, OTHER),
}


@dataclass(frozen=True, eq=False)
class Pose:
    """What to make of a picture."""

    pixels: Pixels
    """(rows, columns), float32 in [0, 1]: turned right where it seemed to lie wrong."""
    doubt: Reason | None
    """Why a person should look at it; None: it lies as it should."""


def set_right(pixels: Pixels, said: Modality | None) -> Pose:
    """Turns a picture right that lies on its side, stands on its head or is a negative, and says so.

    Args:
        pixels: float32 (rows, columns), in [0, 1], 0 black.
        said: the modality that header or folder tell.

    Raises:
        ModelError: the network's files are missing or damaged.
    """
    network = shipped()
    return turn_right(pixels, network.judge(pixels), said, network.threshold)


def turn_right(pixels: Pixels, answer: dict[str, float], said: Modality | None, threshold: float) -> Pose:
    """The same with given probabilities of `KINDS`; doubted is what lies wrong with a probability above `threshold`."""
    possible = {kind: answer[kind] for kind in _POSSIBLE[said]}
    total = sum(possible.values())
    wrong = {kind: value / total for kind, value in possible.items() if kind not in RIGHT}
    if total == 0 or sum(wrong.values()) <= threshold:
        return Pose(pixels, None)
    kind = max(wrong, key=lambda pose: wrong[pose])
    if wrong[kind] > max(possible[pose] / total for pose in RIGHT if pose in possible):
        pixels = _undone(pixels, kind)
    return Pose(pixels, _doubt(kind))


def _undone(pixels: Pixels, kind: str) -> Pixels:
    if is_negative(kind):
        pixels = 1 - pixels
    return np.ascontiguousarray(np.rot90(pixels, -count_turns(kind)))


def _doubt(kind: str) -> Reason:
    if kind == LATERAL:
        return Reason.NOT_FRONTAL
    return Reason.POLARITY_IN_DOUBT if is_negative(kind) else Reason.NOT_UPRIGHT


def is_negative(kind: str) -> bool:
    """Whether black and white are swapped."""
    return kind.endswith("_negative")


def count_turns(kind: str) -> int:
    """The quarter turns by which a film of this kind was turned; 0 for what has no upright."""
    return FILMS.index(kind) % 4 if kind in FILMS else 0


class Network:
    """Four convolutions that halve the picture each, and one dense layer."""

    def __init__(self, weights: dict[str, npt.NDArray[np.float32]], threshold: float, version: str = "pose") -> None:
        """`weights`: kernel1 (5, 5, 1, channels), bias1 … kernel4, bias4; dense (inputs, `KINDS`), dense_bias."""
        self._weights = {name: array.astype(np.float32) for name, array in weights.items()}
        self.threshold = threshold
        self.version = version

    def judge(self, pixels: Pixels) -> dict[str, float]:
        """The probability of each of `KINDS`, the mean over the picture's eight poses, as what it is told of each is told of all.

        Args:
            pixels: float32 (rows, columns), in [0, 1], 0 black.
        """
        return dict(zip(KINDS, self.judge_prepared(prepare(PREPROCESS, pixels)[np.newaxis])[0].tolist(), strict=True))

    def judge_prepared(self, pictures: Pixels) -> npt.NDArray[np.float32]:
        """The same for a batch of what `prepare` made: float32 (n, side, side, 1) to float32 (n, `KINDS`)."""
        count = len(pictures)
        posed = np.concatenate([_posed(pictures, pose) for pose in range(len(FILMS))])
        logits = self.logits(posed).reshape(len(FILMS), count, len(KINDS))
        return probabilities(np.mean([logits[pose][:, _SEEN_AS[pose]] for pose in range(len(FILMS))], axis=0), 1.0).astype(np.float32)

    def logits(self, pictures: Pixels) -> npt.NDArray[np.float32]:
        """float32 (n, side, side, 1) to float32 (n, `KINDS`), each as it lies."""
        x = pictures * np.float32(2) - np.float32(1)
        stage = 1
        while (kernel := self._weights.get(f"kernel{stage}")) is not None:
            x = np.maximum(_convolve(x, kernel) + self._weights[f"bias{stage}"], 0)
            stage += 1
        flat = x.reshape(len(x), -1)
        return np.asarray(flat @ self._weights["dense"] + self._weights["dense_bias"], np.float32)


def _convolve(x: Pixels, kernel: npt.NDArray[np.float32]) -> Pixels:
    """With a stride of two, zeros around: (n, side, side, in) to (n, side / 2, side / 2, out)."""
    size = kernel.shape[0]
    edge = size // 2
    padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::2, ::2]  # (n, rows, columns, in, size, size)
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, size * size * x.shape[3])
    return np.asarray((rows @ kernel.reshape(-1, kernel.shape[3])).reshape(*windows.shape[:3], -1), np.float32)


def _posed(pictures: Pixels, pose: int) -> Pixels:
    """A batch in one of the eight poses of `FILMS`."""
    turned = np.rot90(pictures, pose % 4, axes=(1, 2))
    return 1 - turned if pose >= 4 else turned


def _seen_as(pose: int) -> list[int]:
    """For each of `KINDS`: which of them a picture of that kind becomes in this pose."""
    films = [(number % 4 + pose) % 4 + 4 * ((number // 4 + pose // 4) % 2) for number in range(len(FILMS))]
    slices = [CT_NEGATIVE, CT] if pose >= 4 else [CT, CT_NEGATIVE]
    return [*films, *(KINDS.index(kind) for kind in (LATERAL, *slices, OTHER))]


_SEEN_AS: Final = [_seen_as(pose) for pose in range(len(FILMS))]


@cache
def shipped() -> Network:
    """The network that Lungline ships, its hash checked; read once a process.

    Raises:
        ModelError: a file is missing or damaged.
    """
    return read(SHIPPED)


def read(folder: Path) -> Network:
    """Reads `pose.json` and `pose.npz`.

    Raises:
        ModelError: one is missing or damaged.
    """
    try:
        record = read_record(folder)
        if hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest() != record.sha256 or record.kinds != KINDS:
            raise ValueError
        with np.load(folder / WEIGHTS) as file:
            return Network(dict(file), record.threshold, f"pose-{record.sha256[:8]}")
    except (OSError, ValueError, KeyError, TypeError):  # pydantic's is a ValueError
        raise ModelError(
            f"The network in `{folder.name}` is missing or damaged. Restore it with `git checkout -- models/shipped`."
        ) from None


def read_record(folder: Path) -> PoseRecord:
    """Reads `pose.json`.

    Raises:
        OSError, ValueError: it is missing or damaged.
    """
    return PoseRecord.model_validate_json((folder / DESCRIPTION).read_bytes())
