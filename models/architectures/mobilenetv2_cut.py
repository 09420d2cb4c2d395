"""The first two thirds of MobileNetV2 for gray pictures: a sixth of its weights, for machines as small as a Raspberry Pi."""

from collections.abc import Callable

from models.architectures.mobilenetv2 import IMAGENET_MEAN, IMAGENET_VARIANCE
from models.architectures.norms import quicken
from models.backend import keras

SIDE = 128

_LAST = "block_11_expand_relu"  # two blocks more were worth next to nothing: docs/decisions/0018-files-in-and-out.md


def mobilenetv2_cut(outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model:
    """Builds MobileNetV2 up to the widening of its twelfth block, averaged over the picture, and one dense layer.

    Reference: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018), https://arxiv.org/abs/1801.04381.

    Args:
        outputs: the number of logits.
        load_base: fills `keras.applications.MobileNetV2(include_top=False)` with weights; without it all are random.

    Returns:
        A model from float32 (batch, 128, 128, 1), gray in [0, 1], to float32 logits (batch, outputs).
    """
    whole = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3), pooling="avg")
    if load_base:
        load_base(whole)
    base = keras.Model(whole.input, whole.get_layer(_LAST).output, name="mobilenetv2_cut")
    quicken(base)
    gray = keras.Input((SIDE, SIDE, 1), name="gray")
    colour = keras.layers.Concatenate(name="repeat")([gray, gray, gray])
    colour = keras.layers.Normalization(mean=IMAGENET_MEAN, variance=IMAGENET_VARIANCE, name="imagenet_statistics")(colour)
    x = keras.layers.GlobalAveragePooling2D(name="average")(base(colour))
    x = keras.layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(gray, keras.layers.Dense(outputs, name="logits")(x), name="mobilenetv2_cut_gray")
