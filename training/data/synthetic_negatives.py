"""Pictures that are neither a chest X-ray nor a lung CT slice, drawn in code or made of others, for admission to learn from."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from models.preprocess import Pixels

_SIDE: Final = 256


def guises(picture: Pixels, number: int, rng: np.random.Generator) -> list[Pixels]:
    """A stranger in other guises: a part of it, turned by quarters, as a negative. Still a stranger, whichever.

    Args:
        picture: float32 (rows, columns) in [0, 1].
        number: how many.
        rng: the only source of chance.
    """
    made = []
    for _ in range(number):
        part = np.rot90(_part(picture, 0.5, 1.0, rng), int(rng.integers(4)))
        made.append(np.ascontiguousarray(1 - part if rng.random() < 0.3 else part))
    return made


def tiny_part(scan: Pixels, rng: np.random.Generator) -> Pixels:
    """So small a part of a chest picture that nothing can be read from it, enlarged: a rib, a vessel, a letter."""
    return _part(scan, 0.08, 0.2, rng)


def drawn(number: int, rng: np.random.Generator) -> list[Pixels]:
    """Documents, gradients, noise, test patterns, shapes and flat areas, in equal parts; float32 (rows, columns) in [0, 1]."""
    return [_KINDS[i % len(_KINDS)](rng) for i in range(number)]


def _part(picture: Pixels, smallest: float, largest: float, rng: np.random.Generator) -> Pixels:
    rows, columns = (max(4, int(length * rng.uniform(smallest, largest))) for length in picture.shape)
    top, left = rng.integers(max(1, picture.shape[0] - rows + 1)), rng.integers(max(1, picture.shape[1] - columns + 1))
    return picture[top : top + rows, left : left + columns]


def _document(rng: np.random.Generator) -> Pixels:
    """Lines of words, some with a table, a picture or a dark background."""
    page = np.full((_SIDE, int(_SIDE * rng.uniform(0.6, 1.6))), rng.integers(200, 256), np.uint8)
    line, size = int(rng.integers(8, 24)), rng.uniform(0.25, 0.7)
    for y in range(int(rng.integers(10, 40)), _SIDE - 8, line):
        if rng.random() < 0.15:
            continue
        words = " ".join(
            "".join(rng.choice(list("abcdefghiklmnoprstuvw0123456789"), int(rng.integers(2, 9)))) for _ in range(rng.integers(2, 12))
        )
        cv2.putText(page, words, (int(rng.integers(4, 30)), y), cv2.FONT_HERSHEY_SIMPLEX, size, int(rng.integers(0, 90)), 1, cv2.LINE_AA)
    for _ in range(rng.integers(0, 4)):
        corner, other = _point(page, rng), _point(page, rng)
        cv2.rectangle(page, corner, other, int(rng.integers(256)), int(rng.choice([-1, 1, 2])))
    gray = page.astype(np.float32) / np.float32(255)
    return 1 - gray if rng.random() < 0.3 else gray


def _gradient(rng: np.random.Generator) -> Pixels:
    """A ramp or a bright spot, smooth or in steps."""
    y, x = np.mgrid[-1 : 1 : _SIDE * 1j, -1 : 1 : _SIDE * 1j]
    turn = rng.uniform(0, 2 * np.pi)
    field = (
        np.cos(turn) * x + np.sin(turn) * y
        if rng.random() < 0.5
        else np.hypot(x - rng.uniform(-1, 1), (y - rng.uniform(-1, 1)) * rng.uniform(0.5, 2))
    )
    field = (field - field.min()) / (field.max() - field.min())
    levels = int(rng.integers(2, 20))
    return np.asarray(np.floor(field * levels) / levels if rng.random() < 0.5 else field, np.float32)


def _noise(rng: np.random.Generator) -> Pixels:
    """Fine to coarse."""
    cells = int(rng.choice([3, 6, 12, 32, 96, _SIDE]))
    return np.asarray(
        cv2.resize(
            rng.random((cells, cells), np.float32), (_SIDE, _SIDE), interpolation=int(rng.choice([cv2.INTER_NEAREST, cv2.INTER_CUBIC]))
        ).clip(0, 1),
        np.float32,
    )


def _pattern(rng: np.random.Generator) -> Pixels:
    """Stripes, checks, rings and bars, as display tests show."""
    y, x = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32)
    across, down = rng.uniform(4, 64, 2)
    kind = rng.integers(4)
    if kind == 0:
        field = ((x // across) + (y // down)) % 2
    elif kind == 1:
        field = np.sin(2 * np.pi * (x * np.cos(down) + y * np.sin(down)) / across) / 2 + 0.5
    elif kind == 2:
        field = np.sin(2 * np.pi * np.hypot(x - _SIDE * rng.random(), y - _SIDE * rng.random()) / across) / 2 + 0.5
    else:
        field = (x // across) * across / _SIDE
    return np.asarray(field.clip(0, 1), np.float32)


def _shapes(rng: np.random.Generator) -> Pixels:
    """Discs, boxes and lines on a plain ground; some like an eye, a head or a bone, none like a chest."""
    page = np.full((_SIDE, _SIDE), rng.uniform(0, 1), np.float32)
    for _ in range(rng.integers(1, 8)):
        shade, thick = float(rng.uniform(0, 1)), int(rng.choice([-1, 2, 6]))
        match rng.integers(3):
            case 0:
                axes = (int(rng.integers(8, 120)), int(rng.integers(8, 120)))
                cv2.ellipse(page, _point(page, rng), axes, float(rng.uniform(0, 180)), 0, 360, shade, thick)
            case 1:
                cv2.rectangle(page, _point(page, rng), _point(page, rng), shade, thick)
            case _:
                cv2.line(page, _point(page, rng), _point(page, rng), shade, abs(thick) * 3)
    return np.asarray(cv2.GaussianBlur(page, (0, 0), rng.uniform(0.5, 4)), np.float32)


def _flat(rng: np.random.Generator) -> Pixels:
    """One gray with faint grain, as an exposure of nothing."""
    return np.asarray((rng.uniform(0, 1) + rng.uniform(0.002, 0.05) * rng.standard_normal((_SIDE, _SIDE))).clip(0, 1), np.float32)


_KINDS: Final[Sequence[Callable[[np.random.Generator], Pixels]]] = (_document, _gradient, _noise, _pattern, _shapes, _flat)


def _point(page: npt.NDArray[Any], rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(page.shape[1])), int(rng.integers(page.shape[0]))
