"""What a training changes, and what it is shown: a network and pictures; or, behind a frozen base, the rest of it and kept features."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.backend import keras
from models.preprocess import Pixels
from training.fitting import features
from training.fitting.augment import augment
from training.recipes import Augment, Recipe


@dataclass(frozen=True)
class Learner:
    """A network with its pictures."""

    network: keras.Model  # that is trained
    shown: Pixels  # (n, side, side, 1), to learn from
    asked: Pixels  # the same of validation, (m, side, side, 1)
    how: Augment | None  # each look's changes

    def batch(self, rows: npt.NDArray[np.intp], rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """What the network is shown of these examples this time."""
        return augment(self.shown[rows], self.how, rng) if self.how else self.shown[rows]


@dataclass(frozen=True)
class HeadLearner:
    """What comes after a frozen base, with the features of views that were made once."""

    network: keras.Model
    shown: features.Features  # (n, views, *features)
    asked: npt.NDArray[np.float32]  # (m, *features)

    def batch(self, rows: npt.NDArray[np.intp], rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """One view of each of these examples."""
        view = rng.integers(self.shown.shape[1], size=len(rows))
        return np.asarray(self.shown[rows, view], np.float32)


def learner(recipe: Recipe, network: keras.Model, shown: Pixels, asked: Pixels, shelf: features.Shelf) -> Learner | HeadLearner:
    """Chooses: features where the recipe has a number of views and a base that stays as it is.

    Args:
        recipe: its augmentation and views.
        network: frozen as it is trained.
        shown: float32 (n, side, side, 1), to learn from.
        asked: float32 (m, side, side, 1), of validation.
        shelf: where features are kept.
    """
    how = None if recipe.doubles_smallest else recipe.augment
    parts = features.split(network) if recipe.views else None
    if parts:
        trunk, head = parts
        views = shelf.views(f"{recipe.name}, train", trunk, shown, how, recipe.views)
        plain = shelf.views(f"{recipe.name}, val", trunk, asked, None, 1)
        if views is not None and plain is not None:
            return HeadLearner(head, views, np.asarray(plain[:, 0], np.float32))
    return Learner(network, shown, asked, how)
