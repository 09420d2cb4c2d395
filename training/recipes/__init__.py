"""Recipes: one small TOML file for each way of making a member. They say everything that decides the outcome but data, seed and base.

A recipe of a published system has a table `published`: the system's own head and protocol, its figure, which of the settings its article
does not state (ours), what is done otherwise, and what is wrong with the protocol. What several recipes share stands in a file of `shared/`
that each names by `like`; what the recipe says itself counts.
"""

import tomllib
from dataclasses import field
from pathlib import Path
from typing import Final

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lungline.errors import TrainingError
from lungline.findings import Modality, finding_of

_FOLDER: Final = Path(__file__).parent
_CHECKED: Final = ConfigDict(extra="forbid")

_Table = dict[str, object]  # of TOML


@dataclass(frozen=True, config=_CHECKED)
class Augment:
    """How far a training picture may be changed at random. Zero leaves it as it is."""

    flip: float = 0.0  # probability of a mirror image
    upend: float = 0.0  # probability of standing on its head
    invert: float = 0.0  # probability of a negative
    rotate: float = 0.0  # degrees, either way
    rotated: float = 1.0  # probability that it is turned at all
    shear: float = 0.0  # degrees, either way
    shift: float = 0.0  # share of the side, either way
    zoom: float = 0.0  # share of the size, either way
    zoomed: float = 1.0  # probability that it is zoomed at all
    shrink: float = 0.0  # share of the size that a picture may lose besides; what is then around it has any gray
    stretch: float = 0.0  # of log2 of the aspect ratio, either way
    contrast: float = 0.0  # around the mean, either way
    brightness: float = 0.0  # of the range [0, 1], either way
    gamma: float = 0.0  # of log2 of the exponent, either way
    blur: float = 0.0  # the largest standard deviation in pixels; half of the pictures stay sharp
    noise: float = 0.0  # the largest standard deviation of added noise
    fill: str = "black"  # what comes in from outside: `black` (or with `shrink` any gray), or `nearest`: the border goes on


@dataclass(frozen=True, config=_CHECKED)
class Published:
    """A system as it was published: its own head and protocol, and the figure that a recipe answers to."""

    system: str  # who published it, and where
    metric: str
    said: str  # what the figure was measured on
    outputs: tuple[str, ...]  # of its own head
    held_out: float  # share of the pictures that steer or judge training, drawn picture by picture
    unstated: tuple[str, ...]  # settings that the article does not state: ours
    wrong: tuple[str, ...]  # with this protocol
    epochs: int
    otherwise: tuple[str, ...] = ()  # what is not done as the article does it
    value: float | None = None  # None: it stands in no text
    set_aside: float = 0.0  # share of the pictures that is put away before that, for a test of which nothing is published
    balanced: bool = False  # as many pictures of each output as of the rarest
    seed: int | None = None  # of the split; None: the training's


@dataclass(frozen=True, config=_CHECKED)
class Recipe:
    """A way of making a member: network, preprocessing, augmentation and optimiser."""

    name: str
    architecture: str
    preprocess: str
    outputs: tuple[str, ...]
    batch: int
    epochs: int
    patience: int | None  # epochs without a better validation AUROC before training stops; None: never, and the last epoch counts
    learning_rate: float
    optimiser: str = "adamw"  # after its warm-up the rate falls to zero by a cosine; of adam, sgd and adagrad by `decay`
    decay: float = 0.0  # the rate is divided by 1 + decay times the steps so far, as Keras 2 did; not for adamw
    loss: str = "categorical"  # cross-entropy; or `binary`: each output's own, on the softmax
    warmup_epochs: int = 0  # of adamw
    weight_decay: float = 0.0  # of adamw
    label_smoothing: float = 0.0
    even: bool = False  # every example counts alike, and `shares` and sources do not matter
    shares: dict[str, float] | None = None  # how much of the training weight each label of the data gets; None: balanced within sources
    # with `shares` None: a source counts if each of its outputs has so many groups; of fewer, it is patients that are learnt
    source_groups: int = 1
    leaves_out: tuple[str, ...] = ()  # labels of the data that it does not learn from
    doubles_smallest: bool = False  # the augmentation makes a copy of each picture of the rarest output, and changes nothing else
    views: int = 0  # random views of a picture, of which is kept what a frozen base makes of them; 0: changed anew each time
    tuned_from: str | None = None  # the first layer of a public base that is trained, those before stay as they are; None: all are trained
    frozen_norms: bool = False  # whether a public base's batch normalisation keeps its statistics, scales and offsets
    votes: float = 0.0  # how much of what it learns is an ensemble's vote on each picture, the rest its label; above zero, it is a student
    softened: float = 1.0  # the temperature of these votes
    average: float = 0.0  # how much of the running average of weights an epoch keeps; what is judged and saved is the average
    modality: Modality | None = None  # None: the admission network, which is asked of every picture
    augment: Augment = field(default_factory=Augment)
    published: Published | None = None  # the system that it answers to

    def output_of(self, label: str) -> str:
        """The network's output that answers for a label of the data."""
        return label if label in self.outputs or not self.modality else finding_of(self.modality, label)


def names(folder: Path = _FOLDER) -> list[str]:
    """The recipes that there are."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def load(name: str, folder: Path = _FOLDER) -> Recipe:
    """Reads the recipe `name`.

    Raises:
        TrainingError: there is no such recipe, or its file says what no recipe says.
    """
    if name not in names(folder):
        raise TrainingError(f"No recipe is named `{name}`. There are: {', '.join(names(folder))}.")
    table = _read(folder / f"{name}.toml")
    if shared := table.pop("like", None):
        table = _merged(_read(folder / "shared" / f"{shared}.toml"), table)
    try:
        return TypeAdapter(Recipe).validate_python({"name": name, **table})
    except ValidationError as error:
        wrong = "; ".join(f"`{'.'.join(map(str, each['loc']))}`: {each['msg']}" for each in error.errors())
        raise TrainingError(f"training/recipes/{name}.toml is no recipe: {wrong}.") from None


def _read(path: Path) -> _Table:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _merged(below: _Table, above: _Table) -> _Table:
    """Tables merged, `above` counting."""
    merged = dict(below)
    for name, value in above.items():
        under = below.get(name)
        merged[name] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged
