"""The published Flask detector's four networks: frozen bases of the known sizes, and a head on all their features."""

import numpy as np
import pytest

from models.architectures import build
from models.architectures.flask_detector import FLASK_DETECTOR

# Keras' own counts (keras.io/api/applications, without the top), and what is flattened: side x side x channels.
_SIZES = {
    "flask_vgg16": (14_714_688, 7 * 7 * 512),
    "flask_resnet50": (23_587_712, 7 * 7 * 2048),
    "flask_inceptionv3": (21_802_784, 5 * 5 * 2048),
    "flask_xception": (20_861_480, 7 * 7 * 2048),
}


@pytest.mark.parametrize("name", sorted(FLASK_DETECTOR))
def test_base_frozen_head_on_all_features(name: str) -> None:
    base, features = _SIZES[name]
    network = build(name, 3)
    trainable = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    assert network.count_params() - trainable == base
    assert trainable == features * 3 + 3
    assert network.input_shape == (None, 224, 224, 1)
