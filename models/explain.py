"""Grad-CAM: which parts of a picture move a network towards one of its outputs: where it looks, never why, nor that it is right."""

import importlib
from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from lungline.errors import ModelError
from lungline.findings import finding_of
from models.backend import keras
from models.files import Member

Array = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]
_Part = Callable[[Any], Any]  # tensor -> tensor of Keras' backend

# A map of fewer rows or columns tells no place.
_SMALLEST: Final = 3

_OPACITY: Final = 0.55  # of the map over the picture, where it is strongest
_MARGIN: Final = 8  # pixels between the two halves of an overlay


class Explainer:
    """Draws the maps of one network."""

    def __init__(self, network: keras.Model) -> None:
        """Cuts the network behind its last layer that still has rows and columns; one within a base that is a network itself, too.

        Raises:
            ModelError: it has no such layer.
        """
        self._before, self._after = _cut(network)

    def maps(self, pictures: Array, outputs: npt.NDArray[np.intp]) -> Array:
        """The Grad-CAM of each picture for one output.

        Reference: Selvaraju et al., "Grad-CAM" (ICCV 2017), https://arxiv.org/abs/1610.02391: feature maps weighed by the mean gradient of
        the output's logit, summed, and cut at zero.

        Args:
            pictures: float32 (n, side, side, 1), as the network takes them.
            outputs: (n,), the index of the output that is asked about.

        Returns:
            float32 (n, side, side) in [0, 1], 1 where it matters most; all zero where nothing speaks for the output.
        """
        found = [self._map(picture, int(output)) for picture, output in zip(pictures, outputs, strict=True)]
        return np.stack(found) if found else np.zeros((0, *pictures.shape[1:3]), np.float32)

    def _map(self, picture: Array, output: int) -> Array:
        features = self._before(keras.ops.convert_to_tensor(picture[np.newaxis]))
        slopes = _gradient(lambda tensor: self._after(tensor)[0, output], features)
        seen = np.asarray(features)[0]
        coarse = np.maximum((seen * slopes[0].mean(axis=(0, 1))).sum(axis=-1), 0.0)
        if not coarse.max() > 0:
            return np.zeros(picture.shape[:2], np.float32)
        fine = cv2.resize(coarse / coarse.max(), (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)
        return np.asarray(fine, np.float32)


def _cut(network: keras.Model) -> tuple[_Part, _Part]:
    """The network in two parts: up to the last feature maps, and from these to the logits."""
    layers = network.layers
    for number in range(len(layers) - 2, 0, -1):
        if _has_places(layers[number]):
            whole = layers[number + 1].input  # of a base: what it gives in this network, which is not what it gives by itself
            return _chain(keras.Model(network.input, whole)), _chain(keras.Model(whole, network.output))
        if isinstance(layers[number], keras.Model):
            return _cut_within(network, number)
    raise ModelError("This network has no layer with places, so it cannot be shown where it looks.")


def _cut_within(network: keras.Model, number: int) -> tuple[_Part, _Part]:
    """The same, cut within the layer `number`, a base that averages over places itself. The layer before it is what it is given."""
    base = network.layers[number]
    last = next((layer for layer in reversed(base.layers) if _has_places(layer)), None)
    if last is None:
        raise ModelError("The base of this network has no layer with places, so it cannot be shown where it looks.")
    entry, first = keras.Model(network.input, network.layers[number - 1].output), keras.Model(base.input, last.output)
    rest, head = keras.Model(last.output, base.output), keras.Model(network.layers[number + 1].input, network.output)
    return _chain(entry, first), _chain(rest, head)


def _chain(*networks: keras.Model) -> _Part:
    """Networks one after another, as they answer, not as they learn: a layer may think otherwise unless it is told."""

    def run(tensor: Any) -> Any:
        for network in networks:
            tensor = network(tensor, training=False)
        return tensor

    return run


def _has_places(layer: keras.layers.Layer) -> bool:
    shape = layer.output.shape if hasattr(layer.output, "shape") else ()
    return len(shape) == 4 and min(shape[1:3]) >= _SMALLEST


def _gradient(score: Callable[[Any], Any], at: Any) -> Array:
    """The slope of a number at a tensor: all that is not the same on every backend of Keras."""
    if keras.backend.backend() == "jax":
        return np.asarray(importlib.import_module("jax").grad(score)(at))
    import tensorflow

    with tensorflow.GradientTape() as tape:
        tape.watch(at)
        score_at = score(at)
    return np.asarray(tape.gradient(score_at, at))


def output_for(member: Member, finding: str, logits: Array) -> int:
    """Which of a member's outputs answers for a finding of its modality; of several the one with the greatest logit, (outputs,).

    Raises:
        ModelError: none of its outputs does.
    """
    assert member.modality is not None
    known = [number for number, output in enumerate(member.outputs) if finding_of(member.modality, output) == finding]
    if not known:
        raise ModelError(
            f"Member `{member.version}` does not know {finding}, only {', '.join(member.outputs)}: name another with `--member`, or none."
        )
    return max(known, key=lambda number: float(logits[number]))


def overlay(picture: Array, heat: Array) -> Picture:
    """A map over the picture that the network saw.

    Args:
        picture: float32 (side, side) or (side, side, 1), gray in [0, 1].
        heat: float32 (side, side) in [0, 1].

    Returns:
        uint8 (side, side, 3), BGR as OpenCV has it.
    """
    gray = cv2.cvtColor(shown(picture), cv2.COLOR_GRAY2BGR)
    colour = cv2.applyColorMap((heat * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    weight = _OPACITY * heat[:, :, np.newaxis]
    return np.asarray(gray * (1 - weight) + colour * weight, np.uint8)


def shown(picture: Array) -> Picture:
    """What the network saw, as a gray picture: uint8 (side, side)."""
    return np.asarray(np.clip(picture.reshape(picture.shape[:2]), 0, 1) * 255, np.uint8)


def side_by_side(picture: Array, heat: Array, side: int) -> bytes:
    """A PNG: what the network saw, and beside it the same under its map; each `side` pixels wide and high."""
    halves = [cv2.cvtColor(shown(picture), cv2.COLOR_GRAY2BGR), overlay(picture, heat)]
    left, right = (cv2.resize(half, (side, side), interpolation=cv2.INTER_CUBIC) for half in halves)
    gap = np.full((side, _MARGIN, 3), 255, np.uint8)
    return bytes(cv2.imencode(".png", np.hstack([left, gap, right]))[1])
