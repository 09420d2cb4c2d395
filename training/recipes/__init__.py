"""Recipes: one small TOML file for each way of making a member. They say everything that decides the outcome but data, seed and base."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lungline.errors import TrainingError
from lungline.findings import Modality, finding_of

_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True)
class Augment:
    """How far a training picture may be changed at random. Zero leaves it as it is."""

    flip: float = 0.0  # probability of a mirror image
    invert: float = 0.0  # probability of a negative
    rotate: float = 0.0  # degrees, either way
    shift: float = 0.0  # share of the side, either way
    zoom: float = 0.0  # share of the size, either way
    shrink: float = 0.0  # share of the size that a picture may lose besides; what is then around it has any gray
    stretch: float = 0.0  # of log2 of the aspect ratio, either way
    contrast: float = 0.0  # around the mean, either way
    brightness: float = 0.0  # of the range [0, 1], either way
    gamma: float = 0.0  # of log2 of the exponent, either way
    blur: float = 0.0  # the largest standard deviation in pixels; half of the pictures stay sharp
    noise: float = 0.0  # the largest standard deviation of added noise


@dataclass(frozen=True)
class Recipe:
    """A way of making a member: network, preprocessing, augmentation and optimiser."""

    name: str
    architecture: str
    preprocess: str
    outputs: tuple[str, ...]
    batch: int
    epochs: int
    patience: int  # epochs without a better validation AUROC before training stops
    learning_rate: float  # AdamW's, after the warm-up; falls to zero by a cosine
    warmup_epochs: int
    weight_decay: float
    label_smoothing: float
    shares: dict[str, float] | None = None  # how much of the training weight each label of the data gets; None: balanced within sources
    # with `shares` None: a source counts if each of its outputs has so many groups; of fewer, it is patients that are learnt
    source_groups: int = 1
    tuned_from: str | None = None  # the first layer of a public base that is trained, those before stay as they are; None: all are trained
    frozen_norms: bool = False  # whether a public base's batch normalisation keeps its statistics, scales and offsets
    average: float = 0.0  # how much of the running average of weights an epoch keeps; what is judged and saved is the average
    modality: Modality | None = None  # None: the admission network, which is asked of every picture
    augment: Augment = field(default_factory=Augment)

    def output_of(self, label: str) -> str:
        """The network's output that answers for a label of the data."""
        return finding_of(self.modality, label) if self.modality else label


def names() -> list[str]:
    """The recipes that there are."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load(name: str) -> Recipe:
    """Reads the recipe `name`.

    Raises:
        TrainingError: there is no such recipe.
    """
    if name not in names():
        raise TrainingError(f"No recipe is named `{name}`. There are: {', '.join(names())}.")
    said: dict[str, Any] = tomllib.loads((_FOLDER / f"{name}.toml").read_text())
    said["augment"] = Augment(**said.get("augment", {}))
    said["outputs"] = tuple(said["outputs"])
    if "modality" in said:
        said["modality"] = Modality(said["modality"])
    return Recipe(name=name, **said)
