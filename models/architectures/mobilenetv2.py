"""MobileNetV2 for gray pictures: an ImageNet base, averaged over the picture, and one dense layer."""

from collections.abc import Callable

from models.backend import keras

SIDE = 224

# torchvision's ImageNet statistics (R, G, B in [0, 1]), which weights in LUNGLINE_WEIGHTS_DIR expect. Those of Keras' own download expect
# [-1, 1]; the batch normalisation behind the first convolution takes up that difference within the first steps of fine-tuning.
_MEAN = (0.485, 0.456, 0.406)
_VARIANCE = (0.229**2, 0.224**2, 0.225**2)

# The first layer that is fine-tuned. What lies before it finds edges and textures, which chests have as photographs do; going back
# through these large maps would take more than half of a training step.
_FIRST_TUNED = "block_4_expand"

# Keras' .999 needs thousands of steps to follow; a fine-tuning of some hundred steps would be judged with ImageNet's statistics.
_MOMENTUM = 0.9


def mobilenetv2(outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model:
    """Builds MobileNetV2 with a head of `outputs` logits.

    Reference: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018), https://arxiv.org/abs/1801.04381.
    2.2 million parameters, 0.3 billion multiply-adds a picture.

    Args:
        outputs: the number of logits.
        load_base: fills `keras.applications.MobileNetV2(include_top=False)` with weights, of which the first blocks stay as they are;
            without it all are random, and all are trained.

    Returns:
        A model from float32 (batch, 224, 224, 1), gray in [0, 1], to float32 logits (batch, outputs).
    """
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3), pooling="avg")
    if load_base:
        load_base(base)
        names = [layer.name for layer in base.layers]
        for layer in base.layers[: names.index(_FIRST_TUNED)]:
            layer.trainable = False
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _MOMENTUM
    gray = keras.Input((SIDE, SIDE, 1), name="gray")
    colour = keras.layers.Concatenate(name="repeat")([gray, gray, gray])
    colour = keras.layers.Normalization(mean=_MEAN, variance=_VARIANCE, name="imagenet_statistics")(colour)
    features = keras.layers.Dropout(0.2, name="dropout")(base(colour))
    return keras.Model(gray, keras.layers.Dense(outputs, name="logits")(features), name="mobilenetv2_gray")
