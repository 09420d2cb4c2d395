"""How far a training is, told by the files in its folder: for whoever watches it, without loading a network library."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.files import MEMBER, WEIGHTS

_CHECKPOINT = ".checkpoint.npz"


def read_progress(folder: Path, recipes: Sequence[str]) -> tuple[int, str | None]:
    """Epochs done by all recipes, finished or under way, and a line for people on the one under way; None where none is.

    A folder that is not there yet counts as one where nothing is done.
    """
    done, step = 0, None
    for name in recipes:
        if (folder / name / WEIGHTS).is_file():
            done += _epochs(folder / name / MEMBER)
        elif epoch := _epoch(folder / f".{name}{_CHECKPOINT}"):
            done += epoch
            step = f"{name}: {epoch} epochs done"
    return done, step


def _epochs(member: Path) -> int:
    try:
        return int(json.loads(member.read_text())["epochs"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _epoch(checkpoint: Path) -> int:
    try:
        with np.load(checkpoint, allow_pickle=False) as kept:
            return int(json.loads(str(kept["told"]))["epoch"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return 0  # it is just being replaced, or was cut short
