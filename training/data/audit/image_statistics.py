"""One look at each picture of a manifest: all that the audit needs to know of it, so that each is read once."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from imaging import formats
from imaging.codestream import SOF, jpeg_segments, sof
from imaging.formats import Format
from imaging.read import read
from lungline.errors import UnreadableScan
from models.preprocess import Pixels

_HASH_SIDE, _HASH_KEPT = 32, 8
_DETAIL_SIDE, _DETAIL_BLUR = 64, 3.0
_QUANTISATION: Final = 0xDB  # a JPEG's DQT segment (ITU-T T.81 B.2.4.1)
_NEARLY: Final = 0.03  # of black or white


@dataclass(frozen=True, eq=False)
class ImageStatistics:
    """What is remembered of a picture."""

    sha256: str  # of the decoded gray picture and its size: the same for a picture whose file was only copied or packed anew
    phash: npt.NDArray[np.bool_]  # (64,)
    mirrored: npt.NDArray[np.bool_]  # (64,), of the mirror image: some publish flipped copies beside their originals
    detail: npt.NDArray[np.float32]  # (4096,), of mean 0 and length 1; zero where there is no contrast
    rows: int
    columns: int
    file_bytes: int
    border: npt.NDArray[np.float64]  # (8,): mean, deviation, share nearly white, share nearly black; means of top, bottom, left, right
    format: str  # kind of file, and how it was compressed

    @property
    def size(self) -> npt.NDArray[np.float64]:
        """(3,): logarithms of width, height and aspect."""
        return np.log([self.columns, self.rows, self.columns / self.rows])

    @property
    def length(self) -> npt.NDArray[np.float64]:
        """(2,): logarithm of the bytes, and bytes a pixel."""
        return np.array([np.log(self.file_bytes), self.file_bytes / (self.rows * self.columns)])

    @property
    def outside(self) -> npt.NDArray[np.float64]:
        """(13,): all that is known without a look at the lungs: size, border and length."""
        return np.concatenate([self.size, self.border, self.length])


def measure_all(paths: Sequence[Path], step: Callable[[], None] = lambda: None) -> list[ImageStatistics | None]:
    """A look at each picture; None where it is missing or unreadable. `step` is called after each."""
    found: list[ImageStatistics | None] = []
    for path in paths:
        try:
            found.append(measure(path.read_bytes()))
        except (OSError, UnreadableScan):
            found.append(None)
        step()
    return found


def measure(data: bytes) -> ImageStatistics:
    """What the bytes of a picture show.

    Raises:
        UnreadableScan: they are no picture that Lungline reads.
    """
    pixels = read(data).pixels
    return ImageStatistics(
        sha256=hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest(),
        phash=phash(pixels),
        mirrored=phash(pixels[:, ::-1]),
        detail=detail(pixels),
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        file_bytes=len(data),
        border=_border(pixels),
        format=_format(data),
    )


def phash(pixels: Pixels) -> npt.NDArray[np.bool_]:
    """The perceptual hash of a picture, (64,): which low frequencies of its cosine transform are above their median.

    Reference: Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), section 3.2.1.
    """
    low = cv2.dct(_small(pixels, _HASH_SIDE))[:_HASH_KEPT, :_HASH_KEPT].ravel()
    return np.asarray(low > np.median(low))


def detail(pixels: Pixels) -> npt.NDArray[np.float32]:
    """What is left of a picture without its broad shades, (4096,), float32, normalised: it tells two chests apart that a hash confuses."""
    small = _small(pixels, _DETAIL_SIDE)
    fine: npt.NDArray[Any] = (small - cv2.GaussianBlur(small, (0, 0), _DETAIL_BLUR)).ravel()
    fine = fine - fine.mean()
    length = float(np.linalg.norm(fine))
    return (fine / length if length > 1e-6 else np.zeros_like(fine)).astype(np.float32)


def mirror(details: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Details (n, 4096) of the mirror images."""
    return details.reshape(-1, _DETAIL_SIDE, _DETAIL_SIDE)[:, :, ::-1].reshape(len(details), -1)


def _small(pixels: Pixels, side: int) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), (side, side), interpolation=cv2.INTER_AREA), np.float32)


def _border(pixels: Pixels) -> npt.NDArray[np.float64]:
    sides = pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]
    ring = np.concatenate(sides)
    return np.array([ring.mean(), ring.std(), np.mean(ring >= 1 - _NEARLY), np.mean(ring <= _NEARLY), *(side.mean() for side in sides)])


def _format(data: bytes) -> str:
    kind = formats.detect(data)
    if kind is Format.PNG:
        return f"png {data[24]} {data[25]}"  # bit depth and colour type
    if kind is not Format.JPEG:
        return kind.value
    samples, steps = 0, 0
    for marker, body in jpeg_segments(data):
        if marker in SOF:
            samples = sof(body).samples
        elif marker == _QUANTISATION:
            steps += sum(body)
    return f"jpeg {samples} {steps}"
