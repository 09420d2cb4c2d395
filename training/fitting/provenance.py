"""By what code and libraries a training was made, so that another can be told to be the same."""

import hashlib
import importlib.metadata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from lungline import __version__

_ROOMS: Final = ("lungline", "imaging", "models", "training")  # what decides the weights
_LIBRARIES: Final = ("tensorflow-cpu", "tensorflow", "jax", "keras", "numpy", "opencv-python-headless", "scikit-learn")


@cache
def code_version() -> str:
    """Lungline's version, and a hash over the code that decides what a training makes."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted([*(root / room).rglob("*.py"), *(root / room).rglob("*.toml")]):
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{__version__}+{digest.hexdigest()[:16]}"


def libraries() -> dict[str, str]:
    """The libraries that compute, with their versions."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def in_words(values: Mapping[str, object]) -> str:
    """Names with values, as `training_runs` shows them: `numpy 2.4.6, keras 3.15.1`."""
    return ", ".join(f"{name} {value}" for name, value in values.items())
