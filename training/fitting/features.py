"""What the frozen part of a network makes of pictures, computed once and kept on disk, so that training runs only what it changes."""

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lungline.durable import replacing
from lungline.errors import TrainingError
from lungline.progress import say, steps
from models.backend import keras
from models.preprocess import Pixels
from models.runtimes.keras import KerasRuntime
from training.fitting.augment import augment
from training.fitting.provenance import code_version, libraries
from training.recipes import Augment

Features = npt.NDArray[np.float16]

# Of all that is kept, and of one training's pictures. What was used longest ago goes first.
MOST_BYTES: Final = 8 << 30
MOST_OF_ONE: Final = 4 << 30

_PIECE: Final = 32


def split(network: keras.Model) -> tuple[keras.Model, keras.Model] | None:
    """A network in two: the part that training leaves as it is, and the rest, which shares its weights.

    Returns:
        A model from pictures to features and one from features to logits; None where there is no public base, or all of it is trained.

    Raises:
        ValueError: the first trained layer is not the only way through the base.
    """
    number = next((number for number, layer in enumerate(network.layers) if isinstance(layer, keras.Model)), None)
    if number is None:
        return None
    base = network.layers[number]
    weighty = [layer for layer in base.layers if layer.weights]
    trained = [layer for layer in weighty if layer.trainable_weights]
    if trained and trained[0] is weighty[0]:
        return None
    cut = trained[0].input if trained else base.output
    trunk = keras.Model(network.input, keras.Model(base.input, cut)(network.layers[number - 1].output))
    x = given = keras.Input(trunk.output_shape[1:])
    if trained:
        x = keras.Model(cut, base.output)(x)
    for layer in network.layers[number + 1 :]:
        x = layer(x)
    return trunk, keras.Model(given, x)


class Shelf:
    """Where features are kept; without a folder, in memory while they are used."""

    def __init__(self, folder: Path | None, most_bytes: int = MOST_BYTES, most_of_one: int = MOST_OF_ONE) -> None:
        """Makes nothing yet.

        Args:
            folder: LUNGLINE_HOME's `cache/features`; made when it is needed.
            most_bytes: of all that is kept there.
            most_of_one: bytes of one training's pictures.
        """
        self._folder = folder
        self._most_bytes = most_bytes
        self._most_of_one = most_of_one

    def views(self, name: str, trunk: keras.Model, pictures: Pixels, how: Augment | None, count: int) -> Features | None:
        """The features of `count` views of each picture.

        Each view's changes depend on its number and the picture's alone, so that trainings with another seed share them.

        Args:
            name: of what is shown meanwhile.
            trunk: from pictures to features.
            pictures: float32 (n, side, side, 1).
            how: the random changes; None: each view is the picture as it is.
            count: of views.

        Returns:
            float16 (n, count, *features), read-only; None where they would be too large to keep.

        Raises:
            TrainingError: the folder cannot be written.
        """
        shape = (len(pictures), count, *trunk.output_shape[1:])
        if int(np.prod(shape, dtype=np.int64)) * 2 > self._most_of_one:
            say(f"{name}: too many pictures to keep their features, so every step runs the whole network")
            return None
        if self._folder is None:
            return self._fill(np.empty(shape, np.float16), name, trunk, pictures, how)
        path = self._folder / f"{_key(trunk, pictures, how, count)}.npy"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._whole(path, shape):
                with replacing(path) as draft:
                    kept = np.lib.format.open_memmap(draft, "w+", np.float16, shape)
                    with draft.open("r+b") as file:  # all of its room at once: where a disk fills later, a mapped file kills the process
                        os.posix_fallocate(file.fileno(), 0, draft.stat().st_size)
                    self._fill(kept, name, trunk, pictures, how)
                    kept.flush()
            path.touch()
            features: Features = np.load(path, mmap_mode="r")
            self._tidy()
        except OSError as error:
            raise TrainingError(
                f"Features cannot be written to LUNGLINE_HOME's `cache` ({error.strerror}); free some space there."
            ) from None
        return features

    @staticmethod
    def _whole(path: Path, shape: tuple[int, ...]) -> bool:
        try:
            return bool(np.load(path, mmap_mode="r").shape == shape)
        except (OSError, ValueError, EOFError):  # none, or damaged; empty
            return False

    @staticmethod
    def _fill(features: Features, name: str, trunk: keras.Model, pictures: Pixels, how: Augment | None) -> Features:
        runtime = KerasRuntime(trunk)
        with steps(f"{name}: features", features.shape[0] * features.shape[1]) as step:
            for start in range(0, len(pictures), _PIECE):
                piece = pictures[start : start + _PIECE]
                for view in range(features.shape[1]):
                    features[start : start + len(piece), view] = runtime.run(_changed(piece, start, view, how))
                    step(len(piece))
        if not np.isfinite(features).all():
            raise TrainingError("The frozen base gives numbers that are too large for half precision; see `lungline train --weights none`.")
        return features

    def _tidy(self) -> None:
        """Removes what was used longest ago, until the rest is small enough."""
        assert self._folder is not None
        total = 0
        stats = {}
        for path in self._folder.glob("[!.]*.npy"):
            with suppress(FileNotFoundError):  # another training tidies, too
                stats[path] = path.stat()
        for path, stat in sorted(stats.items(), key=lambda entry: -entry[1].st_mtime):
            total += stat.st_size
            if total > self._most_bytes:
                path.unlink(missing_ok=True)  # who reads it at present keeps it until the end


def _changed(pictures: Pixels, first: int, view: int, how: Augment | None) -> Pixels:
    if how is None:
        return pictures
    number = enumerate(pictures, first)
    return np.concatenate([augment(picture[np.newaxis], how, np.random.default_rng((view, row))) for row, picture in number])


def _key(trunk: keras.Model, pictures: Pixels, how: Augment | None, count: int) -> str:
    """A hash of everything that decides the features."""
    # By kinds: names that Keras makes up count the layers that this process has built before.
    layers = [type(layer).__name__ for inner in trunk.layers if isinstance(inner, keras.Model) for layer in inner.layers]
    inputs: list[Any] = [count, how and asdict(how), pictures.shape, keras.backend.backend(), layers, code_version(), libraries()]
    digest = hashlib.sha256(json.dumps(inputs).encode())
    for array in (*trunk.get_weights(), pictures):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]
