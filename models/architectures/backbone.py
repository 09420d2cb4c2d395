"""Public ImageNet networks as the lower part of ours: gray pictures repeated to three channels, and what of it stays as it was."""

from collections.abc import Callable

from models.architectures.norms import quicken
from models.backend import keras

SIDE = 224


def backbone(
    application: str, gray: keras.KerasTensor, load_base: Callable[[keras.Model], None] | None, *, tuned_from: str | None = None
) -> keras.KerasTensor:
    """What `keras.applications`' network without its top makes of gray pictures.

    Args:
        application: its name there, for example `VGG16`.
        gray: (batch, 224, 224, 1).
        load_base: fills the base with weights; without it all are random.
        tuned_from: the first layer that is trained; those before stay as they are, normalisation in inference mode. None: all stay.

    Returns:
        (batch, rows, columns, channels), of the layer of the network that is a network itself.
    """
    base = getattr(keras.applications, application)(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    if load_base:
        load_base(base)
    quicken(base)
    if tuned_from is None:
        base.trainable = False
    else:
        names = [layer.name for layer in base.layers]
        for layer in base.layers[: names.index(tuned_from)]:
            layer.trainable = False
    return base(keras.layers.Concatenate(name="repeat")([gray, gray, gray]))
