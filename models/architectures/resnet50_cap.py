"""The published lung CT network: ResNet50 whose last stage is trained, and four dense layers, for normal, covid19 and cap."""

from collections.abc import Callable

from models.architectures.backbone import SIDE as BASE_SIDE
from models.architectures.backbone import backbone
from models.architectures.norms import MOMENTUM
from models.backend import keras

SIDE = 512

_WIDTHS = (256, 128, 64)
_DROPOUT = 0.3  # the article does not state it


def resnet50_cap(outputs: int, load_base: Callable[[keras.Model], None] | None = None) -> keras.Model:
    """Builds it. With three outputs it has the published 49,722,627 parameters, of which 40,909,315 are trained.

    Source: "COVID-19: Lung CT Scan Detection" (Codex, Medium, 2021), its `model.summary()`. A Resizing layer stands for its Lambda.

    Args:
        outputs: the number of logits.
        load_base: fills ResNet50 (`include_top=False`) with weights; without it all are random.

    Returns:
        A model from float32 (batch, 512, 512, 1), gray in [0, 1], to float32 logits (batch, outputs).
    """
    gray = keras.Input((SIDE, SIDE, 1), name="gray")
    small = keras.layers.Resizing(BASE_SIDE, BASE_SIDE, name="resize")(gray)
    x = backbone("ResNet50", small, load_base, tuned_from="conv5_block1_1_conv")
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.BatchNormalization(momentum=MOMENTUM, name="norm0")(x)
    for number, width in enumerate(_WIDTHS, start=1):
        x = keras.layers.Dense(width, activation="relu", name=f"dense{number}")(x)
        x = keras.layers.Dropout(_DROPOUT, name=f"dropout{number}")(x)
        x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"norm{number}")(x)
    return keras.Model(gray, keras.layers.Dense(outputs, name="logits")(x), name="resnet50_cap")
