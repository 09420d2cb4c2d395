"""Reads a weight file that somebody else's Keras wrote, as a process of its own.

Started by models/interchange/foreign.py. Nothing in the file is run, unpickled or believed; but HDF5's library may hang, or fall, on bytes
that are none of its own. Question and answer are in models/interchange/messages.py.
"""

import json
import resource
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import numpy.typing as npt

from lungline.child_process import answer_parent
from lungline.errors import ModelError
from models.interchange.messages import DescribedLayer, ForeignContents, ForeignFile

_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"

_LAYERS_MOST: Final = 5_000
_NESTED_MOST: Final = 8
_TEXT_MOST: Final = 64 * 2**20  # bytes of a description
_CHUNK_MOST: Final = 256 * 2**20  # bytes that one compressed piece may become
_CPU_SECONDS: Final = 30
_BYTES_OF_LIBRARIES: Final = 4 * 2**30  # that they reserve, not that they use

# The settings of a layer that are read: what decides what it computes, beside its weights.
SETTINGS: Final = ("strides", "padding", "dilation_rate", "epsilon", "activation")

_TOO_LARGE: Final = "The file holds more than {} MB, which such a network can not: name the right file and --recipe."

# What h5py, zipfile and json raise for bytes that are none of theirs.
_DAMAGED: Final = (
    OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, MemoryError, EOFError, UnicodeError, RecursionError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class _Stored:
    """A layer with weights, as a file holds it."""

    name: str | None
    kind: str
    tensors: tuple[h5py.Dataset, ...]


def read(path: Path, most_bytes: int, arrays: Path) -> ForeignContents:
    """Reads a file, and writes its weights to `arrays`, as float32, an array after the other.

    Args:
        path: ends as it likes; its first bytes say what it is.
        most_bytes: a file that is larger, or promises more, is refused.
        arrays: is written.

    Raises:
        ModelError: it cannot be read, is damaged, too large, or not of Keras.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_HDF5))
        if path.stat().st_size > most_bytes:
            raise ModelError(_TOO_LARGE.format(most_bytes >> 20))
    except OSError as error:
        raise ModelError(f"The file cannot be read ({error.strerror}).") from None
    with tempfile.TemporaryDirectory() as folder:
        try:
            config, stored = _unpacked(path, Path(folder), most_bytes) if start.startswith(_ZIP) else (None, path)
            if stored is path and start != _HDF5:
                raise ModelError(
                    "This is not a Keras file: it must be `.h5` or `.keras`, as `model.save` or `model.save_weights` write it."
                )
            with h5py.File(stored, "r") as file:
                return _describe(file, config, most_bytes, arrays)
        except _DAMAGED:
            raise ModelError("The file is damaged, or not in the form that Keras writes: save or download it again.") from None


def _unpacked(path: Path, folder: Path, most_bytes: int) -> tuple[Any, Path]:
    """Description and weights of a `.keras` file."""
    with zipfile.ZipFile(path) as packed:
        config, weights = packed.getinfo(_CONFIG), packed.getinfo(_WEIGHTS)
        if config.file_size > _TEXT_MOST or weights.file_size > most_bytes:
            raise ModelError(_TOO_LARGE.format(most_bytes >> 20))
        target = folder / _WEIGHTS
        with packed.open(weights) as source, target.open("wb") as file:
            left = weights.file_size  # a lying header ends in an error of the checksum
            while left > 0 and (piece := source.read(min(left, 2**20))):
                file.write(piece)
                left -= len(piece)
        return json.loads(packed.read(config)), target


def _describe(file: h5py.File, config: Any, most_bytes: int, arrays: Path) -> ForeignContents:
    if "model_config" in file.attrs:
        config = json.loads(file.attrs["model_config"])
    described = list(_described(config)) if config else []
    settings = {each["config"]["name"]: each["config"] for each in described if "name" in each.get("config", {})}
    root = file["model_weights"] if _is_group(file, "model_weights") else file
    layers = list(_legacy(root)) if _names(root, "layer_names") else list(_modern(file))
    if not layers:
        raise ModelError("The file contains no weights of layers: save the trained network with `model.save` or `model.save_weights`.")
    if settings and all(layer.name in settings for layer in layers):  # where training froze a part, weights are not stored in order
        order = {name: number for number, name in enumerate(settings)}
        layers.sort(key=lambda layer: order[str(layer.name)])
    if sum(4 * int(np.prod(tensor.shape, dtype=object)) for layer in layers for tensor in layer.tensors) > most_bytes:
        raise ModelError(_TOO_LARGE.format(most_bytes >> 20))
    with arrays.open("wb") as target:
        for layer in layers:
            for tensor in layer.tensors:
                np.save(target, _read(tensor))
    return ForeignContents(
        layers=tuple(
            DescribedLayer(
                name=layer.name, kind=layer.kind, settings=_chosen(settings.get(layer.name or "", {})), arrays=len(layer.tensors)
            )
            for layer in layers
        ),
        sides=_sides(described),
        code=_code(described),
    )


def _chosen(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in SETTINGS if name in settings}


def _described(config: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Every layer in a description, those of networks within the network in their place."""
    if depth > _NESTED_MOST:
        raise ValueError
    within = config.get("config", config)
    layers = within if isinstance(within, list) else within.get("layers", ())
    for number, layer in enumerate(layers):
        if number > _LAYERS_MOST:
            raise ValueError
        yield layer
        if isinstance(layer.get("config"), dict) and "layers" in layer["config"]:
            yield from _described(layer, depth + 1)


def _sides(layers: list[dict[str, Any]]) -> tuple[int, int] | None:
    for layer in layers:
        shape = layer["config"].get("batch_shape") or layer["config"].get("batch_input_shape")
        if isinstance(shape, list) and len(shape) == 4 and all(isinstance(side, int) for side in shape[1:3]):
            return shape[1], shape[2]
    return None


def _code(layers: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(str(layer["config"].get("name", "Lambda")) for layer in layers if layer.get("class_name") == "Lambda")


def _legacy(root: h5py.Group) -> Iterator[_Stored]:
    """As Keras 2 writes weights, and Keras 3 into `.h5`: layers in order, each with the names of its weights."""
    for name in _names(root, "layer_names"):
        group = _member(root, name)
        owned: dict[str, list[tuple[str, h5py.Dataset]]] = {}
        for weight in _names(group, "weight_names"):
            *above, tensor = weight.removesuffix(":0").split("/")
            owned.setdefault(above[-1] if above else name, []).append((tensor, _member(group, weight)))
        for owner, tensors in owned.items():
            yield _Stored(owner, _kind(tensors), tuple(tensor for _, tensor in tensors))


def _modern(group: h5py.Group, depth: int = 0) -> Iterator[_Stored]:
    """As Keras 3 writes weights: a group a layer, numbered within its class, its weights numbered in order."""
    if depth > _NESTED_MOST or not _is_group(group, "layers"):
        return
    layers = _member(group, "layers")
    if len(layers) > _LAYERS_MOST:
        raise ValueError
    numbered = sorted((_parted(key), key) for key in layers)
    for inside in (True, False):  # a base comes before what was built on it
        for (kind, _), key in numbered:
            group = _member(layers, key)
            if _is_group(group, "layers") is not inside:
                continue
            if inside:
                yield from _modern(group, depth + 1)
            elif _is_group(group, "vars"):
                tensors = _member(group, "vars")
                if len(tensors):
                    name = tensors.attrs.get("name")
                    yield _Stored(
                        _text(name) if name is not None else None, kind, tuple(_member(tensors, k) for k in sorted(tensors, key=int))
                    )


def _parted(key: str) -> tuple[str, int]:
    """conv2d_12 -> conv2d, 12."""
    stem, _, number = key.rpartition("_")
    return (stem, int(number)) if number.isdecimal() and stem else (key, 0)


def _kind(tensors: list[tuple[str, h5py.Dataset]]) -> str:
    names = {name for name, _ in tensors}
    if "gamma" in names or "moving_mean" in names:
        return "batch_normalization"
    if "pointwise_kernel" in names:
        return "separable_conv2d"
    if "depthwise_kernel" in names:
        return "depthwise_conv2d"
    return "dense" if tensors[0][1].ndim == 2 else "conv2d"


def _names(group: h5py.Group, what: str) -> list[str]:
    """A list of names among a group's attributes, which Keras cuts into `what0`, `what1` … where it is long."""
    if what in group.attrs:
        return [_text(name) for name in group.attrs[what]]
    found: list[str] = []
    number = 0
    while f"{what}{number}" in group.attrs:
        found += [_text(name) for name in group.attrs[f"{what}{number}"]]
        number += 1
    return found


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _is_group(group: h5py.Group, name: str) -> bool:
    return group.get(name, getclass=True, getlink=True) is h5py.HardLink and group.get(name, getclass=True) is h5py.Group


def _member(group: h5py.Group, path: str) -> Any:
    """What lies in a group itself; links to elsewhere, and to other files, are not followed."""
    for name in path.strip("/").split("/"):
        if group.get(name, getclass=True, getlink=True) is not h5py.HardLink:
            raise ValueError
        group = group[name]
    return group


def _read(tensor: h5py.Dataset) -> npt.NDArray[np.float32]:
    elsewhere = tensor.is_virtual or tensor.external
    piece = int(np.prod(tensor.chunks)) * tensor.dtype.itemsize if tensor.chunks else 0
    if elsewhere or tensor.dtype.kind != "f" or piece > _CHUNK_MOST:
        raise ValueError
    return np.asarray(tensor[()], np.float32)


def read_bounded(asked: ForeignFile) -> ForeignContents:
    """Reads within limits of time and memory, which stay with this process.

    Raises:
        ModelError: as `read` does.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # macOS does not hold processes to it
        most = 2 * asked.most_bytes + _BYTES_OF_LIBRARIES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return read(asked.path, asked.most_bytes, asked.arrays)


if __name__ == "__main__":
    answer_parent(ForeignFile, read_bounded)
