"""A small member on disk, and its network as OpenVINO takes it."""

import hashlib
import json
from pathlib import Path

import pytest

from models.architectures import build
from models.backend import keras
from models.files import MEMBER, WEIGHTS, Member, read_member
from models.runtimes.cache import Converted
from models.runtimes.convert import convert_member
from models.weights import save_half


def write_member(folder: Path, seed: int = 0) -> Member:
    """A member whose answers lie apart from each other, as those of a trained one do."""
    folder.mkdir()
    keras.utils.set_random_seed(seed)
    network = build("small_cnn", 3)
    head = network.get_layer("logits")
    head.set_weights([weight * 20 for weight in head.get_weights()])
    save_half(network, folder / WEIGHTS)
    answer = {
        "name": "small",
        "modality": "xray",
        "architecture": "small_cnn",
        "preprocess": "gray-96",
        "outputs": ["covid19", "pneumonia", "normal"],
        "sha256": hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
    }
    (folder / MEMBER).write_text(json.dumps(answer))
    return read_member(folder)


@pytest.fixture(scope="session")
def member(tmp_path_factory: pytest.TempPathFactory) -> Member:
    return write_member(tmp_path_factory.mktemp("members") / "small")


@pytest.fixture(scope="session")
def network(member: Member) -> Converted:
    return convert_member(member)
