"""Random changes of training pictures: what differs between devices, windows and positions, and must not matter."""

import cv2
import numpy as np
import numpy.typing as npt

from models.preprocess import Pixels
from training.recipes import Augment


def augment(pictures: Pixels, how: Augment, rng: np.random.Generator) -> Pixels:
    """Changes each picture of a batch at random.

    Args:
        pictures: float32 (n, side, side, 1) in [0, 1]; stays untouched.
        how: the bounds.
        rng: the only source of chance.

    Returns:
        float32 (n, side, side, 1) in [0, 1].
    """
    return np.stack([_light(_place(picture[:, :, 0], how, rng), how, rng) for picture in pictures])[..., np.newaxis]


def _place(picture: Pixels, how: Augment, rng: np.random.Generator) -> Pixels:
    """Turns, shears, shifts, zooms and mirrors in one resampling."""
    side = picture.shape[0]
    centre = (side - 1) / 2
    size, outside = 1 + rng.uniform(-how.zoom, how.zoom), 0.0
    if how.zoomed < 1 and rng.random() >= how.zoomed:
        size = 1.0
    if how.shrink:
        size, outside = size * (1 - rng.uniform(0, how.shrink)), rng.uniform(0, 1)
    angle = rng.uniform(-how.rotate, how.rotate)
    if how.rotated < 1 and rng.random() >= how.rotated:
        angle = 0.0
    matrix = cv2.getRotationMatrix2D((centre, centre), angle, size)
    if how.shear:
        matrix = matrix @ _sheared(np.tan(np.radians(rng.uniform(-how.shear, how.shear))), centre)
    if how.stretch:
        across = 2 ** rng.uniform(-how.stretch, how.stretch)
        matrix[0] = matrix[0] * across + np.array([0, 0, centre * (1 - across)])
    matrix[:, 2] += rng.uniform(-how.shift, how.shift, 2) * side
    if rng.random() < how.flip:
        matrix[0] *= -1
        matrix[0, 2] += side - 1
    if how.upend and rng.random() < how.upend:
        matrix[1] *= -1
        matrix[1, 2] += side - 1
    border = cv2.BORDER_REPLICATE if how.fill == "nearest" else cv2.BORDER_CONSTANT
    moved = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=outside)
    return np.asarray(moved, np.float32)


def _sheared(slope: float, centre: float) -> npt.NDArray[np.float64]:
    """Moves each row sideways by its distance from the centre times `slope`."""
    return np.array([[1, slope, -slope * centre], [0, 1, 0], [0, 0, 1]])


def _light(picture: Pixels, how: Augment, rng: np.random.Generator) -> Pixels:
    """Changes exposure, contrast, sharpness and grain."""
    picture = np.power(picture, np.float32(2 ** rng.uniform(-how.gamma, how.gamma)))
    mean = picture.mean()
    picture = (picture - mean) * np.float32(1 + rng.uniform(-how.contrast, how.contrast)) + mean
    picture = picture + np.float32(rng.uniform(-how.brightness, how.brightness))
    sigma = rng.uniform(-how.blur, how.blur)
    if sigma > 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)
    grain = np.float32(rng.uniform(0, how.noise))
    picture = np.clip(picture + grain * rng.standard_normal(picture.shape, np.float32), 0, 1)
    return 1 - picture if rng.random() < how.invert else picture
