"""What a killed training goes on from: all that its next epoch depends on, in one file that is whole or not there."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, JsonValue

from lungline.durable import replacing
from lungline.progress import say
from models.backend import keras
from models.records import Epoch

_STATE, _BEST, _AVERAGE = "state", "best", "average"

Weights = list[npt.NDArray[Any]]  # as `keras.Model.get_weights` gives them


@dataclass
class TrainingState:
    """Where a training stands after an epoch."""

    epoch: int  # the last that is finished, from 1; 0 before the first
    best_epoch: int
    best_auroc: float
    best: Weights
    average: Weights  # the running average of weights over epochs
    curve: list[Epoch] = field(default_factory=list)


class _Progress(BaseModel):
    """What the file holds beside arrays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str  # of the training
    rng: dict[str, JsonValue]  # the state of its random numbers
    epoch: int
    best_epoch: int
    best_auroc: float
    curve: list[Epoch]


class Checkpoint:
    """One training's file."""

    def __init__(self, path: Path, key: str) -> None:
        """`key`: a hash of everything that decides the outcome; a file that was written under another one is not taken up."""
        self._path = path
        self._key = key

    def write(self, network: keras.Model, rng: np.random.Generator, training_state: TrainingState) -> None:
        """Keeps weights, optimiser, random state and standing, in place of what was kept before.

        Raises:
            OSError: the disk is full, or cannot be written; what was written is gone, so that others have its room.
        """
        progress = _Progress(
            key=self._key,
            rng=dict(rng.bit_generator.state),
            epoch=training_state.epoch,
            best_epoch=training_state.best_epoch,
            best_auroc=training_state.best_auroc,
            curve=training_state.curve,
        )
        arrays = {f"{_STATE}{number}": keras.ops.convert_to_numpy(variable) for number, variable in enumerate(_variables(network))}
        arrays |= {f"{_BEST}{number}": weights for number, weights in enumerate(training_state.best)}
        arrays |= {f"{_AVERAGE}{number}": weights for number, weights in enumerate(training_state.average)}
        with replacing(self._path) as draft, draft.open("wb") as file:
            np.savez(file, told=np.array(progress.model_dump_json()), **arrays)

    def restore(self, network: keras.Model, rng: np.random.Generator) -> TrainingState | None:
        """Brings a compiled `network` and `rng` to where the kept training stood; None, and nothing is changed, where there is none.

        A file that is damaged, of another training, or of other versions of the libraries counts as none.
        """
        try:
            with np.load(self._path, allow_pickle=False) as kept:
                progress = _Progress.model_validate_json(str(kept["told"]))
                if progress.key != self._key:
                    return None
                network.optimizer.build(network.trainable_variables)
                state = [kept[f"{_STATE}{number}"] for number in range(len(_variables(network)))]
                best, average = ([kept[f"{name}{number}"] for number in range(len(network.weights))] for name in (_BEST, _AVERAGE))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            say(f"the checkpoint of a training cannot be used ({type(error).__name__}): it starts again")
            return None
        for variable, value in zip(_variables(network), state, strict=True):
            variable.assign(value)
        rng.bit_generator.state = progress.rng
        return TrainingState(progress.epoch, progress.best_epoch, progress.best_auroc, best, average, progress.curve)

    def remove(self) -> None:
        """After the last use."""
        self._path.unlink(missing_ok=True)


def _variables(network: keras.Model) -> Sequence[keras.Variable]:
    """Weights, the states of dropout's random numbers, and the optimiser's moments and step."""
    return [*network.variables, *network.optimizer.variables]
