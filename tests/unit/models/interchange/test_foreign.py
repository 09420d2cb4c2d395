"""What claims to be a file of Keras': read in a process of its own, within limits, and never believed."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from lungline.errors import ModelError
from models.backend import keras
from models.interchange.foreign import read

MOST = 16 * 2**20
L = keras.layers


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small network as a.h5, a.keras and a.weights.h5."""
    folder = tmp_path_factory.mktemp("sound")
    network = keras.Sequential([keras.Input((16, 16, 3)), L.Conv2D(4, 3), L.BatchNormalization(), L.Flatten(), L.Dense(2)])
    network.compile("adam", "mse")
    network.save(folder / "a.h5")
    network.save(folder / "a.keras")
    network.save_weights(folder / "a.weights.h5")
    return folder


@pytest.mark.parametrize("name", ["a.h5", "a.keras", "a.weights.h5"])
def test_layers_come_in_order_with_names_kinds_and_shapes(sound: Path, name: str) -> None:
    layers = read(sound / name, MOST).layers
    assert {layer.kind: layer.shapes for layer in layers} == {
        "conv2d": [(3, 3, 3, 4), (4,)],
        "batch_normalization": [(4,)] * 4,
        "dense": [(784, 2), (2,)],
    }
    assert all(layer.name and layer.name.startswith(layer.kind) for layer in layers)


@pytest.mark.parametrize(
    "data", [b"", b"covid19,normal\n", b"\x89HDF", b"PK\x03\x04 but no zip", b"\x89HDF\r\n\x1a\n" + bytes(500), pickle.dumps({"a": 1})]
)
def test_what_is_no_file_of_keras_is_told(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "network.h5"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"not a Keras file|damaged"):
        read(path, MOST)


def test_a_folder_and_a_missing_file_are_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.h5"):
        with pytest.raises(ModelError, match="cannot be read"):
            read(path, MOST)


@pytest.mark.parametrize("name", ["a.h5", "a.keras", "a.weights.h5"])
def test_cut_or_scratched_files_end_as_damaged_or_whole(sound: Path, name: str, tmp_path: Path) -> None:
    data, rng = (sound / name).read_bytes(), np.random.default_rng(0)
    for number in range(4):
        hurt = bytearray(data[: len(data) * 2 // 3] if number == 0 else data)
        for _ in range(40 * number):
            hurt[rng.integers(8, 4000)] = rng.integers(0, 256)
        (tmp_path / name).write_bytes(hurt)
        try:
            assert all(np.isfinite(weight).all() for layer in read(tmp_path / name, MOST).layers for weight in layer.weights)
        except ModelError:
            continue
        assert number  # what was cut is not believed


def _legacy(path: Path, **tensors: object) -> Path:
    """A file with one dense layer `d`, its weights what a test says."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"d"]
        group = file.create_group("d")
        group.attrs["weight_names"] = [f"d/{name}:0".encode() for name in tensors]
        for name, how in tensors.items():
            where = group.require_group("d")
            if callable(how):
                how(where, f"{name}:0")
            else:
                where.create_dataset(f"{name}:0", data=how)
    return path


def test_a_small_file_that_promises_much_is_refused(tmp_path: Path) -> None:
    path = _legacy(tmp_path / "bomb.h5", kernel=lambda group, name: group.create_dataset(name, (10**6, 10**6), "f4", fillvalue=1.0))
    assert path.stat().st_size < 10_000
    with pytest.raises(ModelError, match="more than 16 MB"):
        read(path, MOST)
    packed = io.BytesIO()
    with h5py.File(packed, "w") as file:
        file.create_dataset("zeros", data=np.zeros(MOST, np.float32), compression="gzip")
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("config.json", "{}")
        target.writestr("model.weights.h5", packed.getvalue() + bytes(4 * MOST))
    assert (tmp_path / "bomb.keras").stat().st_size < MOST // 8
    with pytest.raises(ModelError, match="more than 16 MB"):
        read(tmp_path / "bomb.keras", MOST)


def test_a_file_larger_than_its_network_can_be_is_not_opened(sound: Path) -> None:
    with pytest.raises(ModelError, match="more than 0 MB"):
        read(sound / "a.h5", 1000)


def test_external_links_and_non_numbers_are_not_read(sound: Path, tmp_path: Path) -> None:
    def outside(group: h5py.Group, name: str) -> None:
        group[name] = h5py.ExternalLink(str(sound / "a.h5"), "/model_weights")

    def raw(group: h5py.Group, name: str) -> None:
        group.create_dataset(name, (4, 2), "f4", external=[("/etc/hostname", 0, 32)])

    for how in (outside, raw, np.array([[b"text", b"text"]]), np.zeros((2, 2), np.int64)):
        with pytest.raises(ModelError, match="damaged"):
            read(_legacy(tmp_path / "linked.h5", kernel=how), MOST)
    with pytest.raises(ModelError, match="`d` has a weight that is not a number"):
        read(_legacy(tmp_path / "nan.h5", kernel=np.full((2, 2), np.nan)), MOST)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    network = keras.Sequential([keras.Input((4,)), L.Lambda(lambda x: x, name="evil \x1b[2J"), L.Dense(2)])
    network.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as packed:
        config, weights = json.loads(packed.read("config.json")), packed.read("model.weights.h5")
    config["module"], config["class_name"] = "pathlib", "Path"
    config["build_config"] = {"touch": str(witness)}
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as packed:
        packed.writestr("config.json", json.dumps(config))
        packed.writestr("model.weights.h5", weights)
    found = read(tmp_path / "b.keras", MOST)
    assert found.code == ("evil ??2J",)
    assert [layer.kind for layer in found.layers] == ["dense"]
    assert not witness.exists()


def test_a_description_nested_without_end_is_refused(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "deep.h5"
    path.write_bytes((sound / "a.h5").read_bytes())
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = '{"config": {"layers": [' * 3000 + "]}}" * 3000
    with pytest.raises(ModelError, match="damaged"):
        read(path, MOST)


def test_a_reading_that_does_not_end_is_ended(sound: Path) -> None:
    with pytest.raises(ModelError, match="damaged"):
        read(sound / "a.h5", MOST, seconds=0.01)
