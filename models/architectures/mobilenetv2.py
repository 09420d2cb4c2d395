"""MobileNetV2 for gray pictures: an ImageNet base, averaged over the picture, and one dense layer."""

from collections.abc import Callable

from models.architectures.norms import quicken
from models.backend import keras

# torchvision's ImageNet statistics (R, G, B in [0, 1]), by which a base's weights expect their pictures.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_VARIANCE = (0.229**2, 0.224**2, 0.225**2)


def mobilenetv2(outputs: int, load_base: Callable[[keras.Model], None] | None = None, *, side: int) -> keras.Model:
    """Builds MobileNetV2 with a head of `outputs` logits.

    Reference: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018), https://arxiv.org/abs/1801.04381.
    2.2 million parameters, 0.3 billion multiply-adds a picture of 224x224, 0.1 billion of 128x128.

    Args:
        outputs: the number of logits.
        load_base: fills `keras.applications.MobileNetV2(include_top=False)` with weights; without it all are random.
        side: of the square pictures, in pixels.

    Returns:
        A model from float32 (batch, side, side, 1), gray in [0, 1], to float32 logits (batch, outputs).
    """
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(side, side, 3), pooling="avg")
    if load_base:
        load_base(base)
    quicken(base)
    gray = keras.Input((side, side, 1), name="gray")
    colour = keras.layers.Concatenate(name="repeat")([gray, gray, gray])
    colour = keras.layers.Normalization(mean=IMAGENET_MEAN, variance=IMAGENET_VARIANCE, name="imagenet_statistics")(colour)
    features = keras.layers.Dropout(0.2, name="dropout")(base(colour))
    return keras.Model(gray, keras.layers.Dense(outputs, name="logits")(features), name="mobilenetv2_gray")
