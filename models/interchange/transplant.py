"""Puts weights that were trained elsewhere into a network of ours, layer by layer; whatever does not fit is told, and nothing is put in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from lungline.errors import ModelError
from models.backend import keras
from models.interchange.foreign import Foreign, Layer

# Names that Keras gives by itself; they say in which order layers were made, and nothing else.
_BY_KERAS: Final = re.compile(r"(dense|(separable_|depthwise_)?conv2d|batch_normalization)(_\d+)?")

# Last layers whose answers turn into ours: the softmax of the logits, or the logits; of sigmoids the most probable stays so.
_LAST: Final = ("softmax", "linear", "sigmoid")

_OTHER: Final = "The file was made by another recipe: name that one with --recipe."


@dataclass(frozen=True)
class _Place:
    layer: keras.Layer
    in_base: bool  # part of a public network, whose layers have the same names everywhere

    @property
    def kind(self) -> str:
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self.layer).__name__).lower().replace("conv2_d", "conv2d")

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [tuple(weight.shape) for weight in self.layer.weights]


def count_outputs(foreign: Foreign) -> int:
    """How many outputs the network in a file has: the width of its last dense layer.

    Raises:
        ModelError: it has no dense layer.
    """
    last = [layer for layer in foreign.layers if layer.kind == "dense"]
    if not last or len(last[-1].shapes[0]) != 2:
        raise ModelError("The file's network does not end with a dense layer, as all recipes do, so it was not made by this recipe.")
    return last[-1].shapes[0][1]


def transplant(foreign: Foreign, network: keras.Model) -> None:
    """Fills `network` with the weights of a file, after every layer was found to fit.

    A public network's layers are found by their names, the same everywhere; all others in their order, by kind. Where the file describes
    its network, layers must also compute alike (strides, padding, activation), and take pictures of the same size.

    Raises:
        ModelError: a layer is missing, too many, or does not fit, and which; or its weights cannot be read.
    """
    places = list(_places(network))
    pairs = _pairs(list(foreign.layers), places)
    for layer, place in pairs:
        if layer.shapes != place.shapes:
            raise ModelError(
                f"Layer `{layer.label}` of the file does not fit the recipe's `{place.layer.name}`: "
                f"its weights are {_sizes(layer.shapes)}, the recipe's are {_sizes(place.shapes)}."
            )
        _check_settings(layer, place, last=place.layer is places[-1].layer)
    _check_sides(foreign, network)
    for layer, place in pairs:
        place.layer.set_weights(layer.weights)


def _places(network: keras.Model, *, in_base: bool = False) -> Any:
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _places(layer, in_base=True)
        elif layer.weights:
            yield _Place(layer, in_base)


def _pairs(layers: list[Layer], places: Sequence[_Place]) -> list[tuple[Layer, _Place]]:
    """Each of our layers with one of the file's."""
    named = {layer.name: layer for layer in layers if layer.name and not _BY_KERAS.fullmatch(layer.name)}
    has_names = all(layer.name for layer in layers)
    pairs: dict[int, Layer] = {}
    for number, place in enumerate(places):
        if has_names and place.in_base and not _BY_KERAS.fullmatch(place.layer.name):
            if place.layer.name not in named:
                raise _lacking(place)
            pairs[number] = named[place.layer.name]
    used = {id(layer) for layer in pairs.values()}
    rest = [layer for layer in layers if id(layer) not in used]
    for number, place in enumerate(places):
        if number in pairs:
            continue
        fitting = next((layer for layer in rest if layer.kind == place.kind), None)
        if fitting is None:
            raise _lacking(place)
        rest.remove(fitting)
        pairs[number] = fitting
    if rest:
        raise ModelError(f"The file has a layer that the recipe does not have: `{rest[0].label}` ({_sizes(rest[0].shapes)}). {_OTHER}")
    return [(pairs[number], place) for number, place in enumerate(places)]


def _lacking(place: _Place) -> ModelError:
    return ModelError(f"The file has no layer for the recipe's `{place.layer.name}` ({_sizes(place.shapes)}). {_OTHER}")


def _check_settings(layer: Layer, place: _Place, *, last: bool) -> None:
    ours = place.layer.get_config()
    for name, theirs in layer.settings.items():
        if name not in ours:
            continue
        if name == "activation":
            fits = theirs in (_LAST if last else (ours[name], "linear"))  # its own activation layer may follow
        elif name == "epsilon":
            fits = isinstance(theirs, float) and abs(theirs - ours[name]) < 1e-6
        else:
            fits = _plain(theirs) == _plain(ours[name])
        if not fits:
            raise ModelError(
                f"Layer `{layer.label}` of the file differs from the recipe's `{place.layer.name}`: "
                f"its {name} is {str(theirs)[:40]}, expected is {' or '.join(_LAST) if last and name == 'activation' else ours[name]}."
            )


def _check_sides(foreign: Foreign, network: keras.Model) -> None:
    """Weights of a convolution fit pictures of any size, but were learnt on one."""
    bases = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    allowed = {tuple(part.input_shape[1:3]) for part in (network, *bases)}
    if foreign.sides and foreign.sides not in allowed:
        raise ModelError(
            f"The file's network takes pictures of {foreign.sides[0]}x{foreign.sides[1]}, the recipe's of "
            f"{' or '.join(f'{rows}x{columns}' for rows, columns in sorted(allowed))}."
        )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def _sizes(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape)) or "one number" for shape in shapes)
