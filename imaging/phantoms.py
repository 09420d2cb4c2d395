"""Chest-like pictures, drawn, of nobody: body, lungs, heart, spine, ribs, vessels, and opacities that differ from seed to seed."""

from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

Kind = Literal["xray", "ct"]
_SIDE = 256
_AIR, _LUNG, _TISSUE, _BONE = -1000, -820, 40, 500  # Hounsfield units
_CT_OFFSET = 1024


def phantom(kind: Kind, seed: int = 0, side: int = _SIDE) -> npt.NDArray[np.uint16]:
    """What a detector would store, uint16 (side, side).

    xray: 12 bits, 0 black (MONOCHROME2). ct: Hounsfield units + 1024, as with RescaleIntercept -1024.
    """
    rng = np.random.default_rng(seed)
    return _xray(rng, side) if kind == "xray" else (_ct(rng, side) + _CT_OFFSET).astype(np.uint16)


def picture(kind: Kind, seed: int = 0, side: int = _SIDE) -> npt.NDArray[np.uint8]:
    """The same as people export it, uint8 (side, side): the CT in the lung window."""
    stored = phantom(kind, seed, side).astype(np.float32)
    shown = stored / 4095 if kind == "xray" else (stored - _CT_OFFSET + 1350) / 1500
    return (255 * np.clip(shown, 0, 1)).astype(np.uint8)


def _xray(rng: np.random.Generator, side: int) -> npt.NDArray[np.uint16]:
    image: npt.NDArray[Any] = np.full((side, side), 0.08, np.float32)
    _ellipse(image, (0.5, 0.68), (0.46, 0.62), 0.62)
    for x in (0.30, 0.70):
        _ellipse(image, (x + rng.normal(0, 0.01), 0.47), (0.145, 0.31 + rng.normal(0, 0.015)), 0.22)
    _ellipse(image, (0.56, 0.66), (0.15, 0.17), 0.78)  # heart
    _ellipse(image, (0.5, 0.5), (0.045, 0.6), 0.8)  # spine
    _ellipse(image, (0.5, 1.02), (0.42, 0.22), 0.82)  # diaphragm
    ribs = np.zeros_like(image)
    for y in np.linspace(0.2, 0.75, 8):
        for x, way in ((0.30, -1), (0.70, 1)):
            _ellipse_line(ribs, (x, y + 0.05), (0.2, 0.09), 12 * way)
    image += 0.09 * cv2.GaussianBlur(ribs, (0, 0), side / 200)
    _opacities(image, rng, 0.35, ((0.30, 0.5), (0.70, 0.45)))
    image = cv2.GaussianBlur(image, (0, 0), side / 120) + rng.normal(0, 0.012, image.shape).astype(np.float32)
    stored: npt.NDArray[np.uint16] = (4095 * np.clip(image, 0, 1)).astype(np.uint16)
    return stored


def _ct(rng: np.random.Generator, side: int) -> npt.NDArray[Any]:
    image: npt.NDArray[Any] = np.full((side, side), float(_AIR), np.float32)
    _ellipse(image, (0.5, 0.52), (0.44, 0.32), -80)  # fat
    _ellipse(image, (0.5, 0.52), (0.41, 0.29), _TISSUE)
    for x in (0.31, 0.69):
        _ellipse(image, (x + rng.normal(0, 0.01), 0.49), (0.15, 0.21), _LUNG)
        for _ in range(25):
            at = (x + rng.uniform(-0.11, 0.11), 0.49 + rng.uniform(-0.16, 0.16))
            _ellipse(image, at, (rng.uniform(0.003, 0.009),) * 2, _TISSUE)
    _ellipse(image, (0.54, 0.45), (0.13, 0.13), 60)  # heart
    _ellipse(image, (0.5, 0.70), (0.06, 0.06), _BONE)
    _ellipse(image, (0.44, 0.60), (0.03, 0.03), 60)  # aorta
    _opacities(image, rng, 500, ((0.31, 0.56), (0.69, 0.56)))
    image = cv2.GaussianBlur(image, (0, 0), side / 250) + rng.normal(0, 25, image.shape).astype(np.float32)
    return np.clip(image, -1024, 3000)


def _opacities(image: npt.NDArray[np.float32], rng: np.random.Generator, strength: float, lungs: tuple[tuple[float, float], ...]) -> None:
    hazy = np.zeros_like(image)
    for _ in range(int(rng.integers(0, 7))):
        x, y = lungs[int(rng.integers(len(lungs)))]
        at = (x + rng.uniform(-0.08, 0.08), y + rng.uniform(-0.1, 0.12))
        _ellipse(hazy, at, (rng.uniform(0.02, 0.06), rng.uniform(0.02, 0.06)), strength)
    image += cv2.GaussianBlur(hazy, (0, 0), image.shape[0] / 40)


def _ellipse(image: npt.NDArray[np.float32], at: tuple[float, float], half: tuple[float, float], value: float) -> None:
    side = image.shape[0]
    centre, axes = (round(at[0] * side), round(at[1] * side)), (max(1, round(half[0] * side)), max(1, round(half[1] * side)))
    cv2.ellipse(image, centre, axes, 0, 0, 360, (value,), cv2.FILLED)


def _ellipse_line(image: npt.NDArray[np.float32], at: tuple[float, float], half: tuple[float, float], angle: float) -> None:
    side = image.shape[0]
    centre, axes = (round(at[0] * side), round(at[1] * side)), (round(half[0] * side), round(half[1] * side))
    cv2.ellipse(image, centre, axes, angle, 180, 360, (1.0,), max(1, side // 50))
