"""The lower part of ResNet50 for gray pictures: what finds textures, and none of what knows things, averaged over the picture."""

from collections.abc import Callable

from models.architectures.norms import quicken
from models.backend import keras

SIDE = 224

# By what an ImageNet base of `keras.applications.ResNet50` expects its pictures: BGR in 0 to 255, less these means.
_MEANS = (103.939, 116.779, 123.68)

_LAST = "conv4_block1_out"  # with one block more it would have 4 million parameters, and be 8 MB on disk


def resnet50_mid(outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model:
    """Builds ResNet50 up to the first block of its fourth stage, with a head of `outputs` logits.

    Reference: He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), https://arxiv.org/abs/1512.03385; that medical
    pictures need little of what lies above: Raghu et al., "Transfusion" (NeurIPS 2019), https://arxiv.org/abs/1902.07208.
    3 million parameters, 2.2 billion multiply-adds a picture.

    Args:
        outputs: the number of logits.
        load_base: fills `keras.applications.ResNet50(include_top=False)` with weights; without it all are random.

    Returns:
        A model from float32 (batch, 224, 224, 1), gray in [0, 1], to float32 logits (batch, outputs).
    """
    whole = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    if load_base:
        load_base(whole)
    base = keras.Model(whole.input, whole.get_layer(_LAST).output, name="resnet50_lower")
    quicken(base)
    gray = keras.Input((SIDE, SIDE, 1), name="gray")
    colour = keras.layers.Concatenate(name="repeat")([gray, gray, gray])
    means, variances = [mean / 255 for mean in _MEANS], [255.0**-2] * len(_MEANS)
    colour = keras.layers.Normalization(mean=means, variance=variances, name="imagenet_means")(colour)
    features = keras.layers.GlobalAveragePooling2D(name="average")(base(colour))
    features = keras.layers.Dropout(0.3, name="dropout")(features)
    return keras.Model(gray, keras.layers.Dense(outputs, name="logits")(features), name="resnet50_mid")
