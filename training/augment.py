"""Random changes of training pictures: what differs between devices, windows and positions, and must not matter."""

import cv2
import numpy as np

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
    """Turns, shifts, zooms and mirrors in one resampling. What comes in from outside is black, around a picture that shrank any gray."""
    side = picture.shape[0]
    centre = (side - 1) / 2
    size, outside = 1 + rng.uniform(-how.zoom, how.zoom), 0.0
    if how.shrink:
        size, outside = size * (1 - rng.uniform(0, how.shrink)), rng.uniform(0, 1)
    matrix = cv2.getRotationMatrix2D((centre, centre), rng.uniform(-how.rotate, how.rotate), size)
    if how.stretch:
        across = 2 ** rng.uniform(-how.stretch, how.stretch)
        matrix[0] = matrix[0] * across + np.array([0, 0, centre * (1 - across)])
    matrix[:, 2] += rng.uniform(-how.shift, how.shift, 2) * side
    if rng.random() < how.flip:
        matrix[0] *= -1
        matrix[0, 2] += side - 1
    return np.asarray(cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderValue=outside), np.float32)


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
