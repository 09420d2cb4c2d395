"""What the pose network learns from, and that numpy runs what Keras trained."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import generate_uid

from imaging.phantoms import phantom, picture
from models.pose import FILMS, KINDS, LATERAL, Network
from tests.corpus.files import dicom
from training.datasets import Example
from training.pose import fit
from training.pose.lessons import Lessons, gather, kept
from training.pose.projections import films, read_series


def chest_volume() -> np.ndarray:
    """A drawn chest in Hounsfield units: the lungs end above the belly."""
    plane = phantom("ct", 1, 64).astype(np.float32) - 1024
    belly = np.where(plane > -500, plane, np.where(np.abs(np.indices(plane.shape) - 32).max(axis=0) < 18, 40, plane))
    return np.stack([plane] * 30 + [belly] * 10)


def lessons() -> Lessons:
    pictures = {
        name: [kept(picture("xray" if name == "xray" else "ct", 3).astype(np.float32) / np.float32(255))] for name in ("xray", "ct")
    }
    nothing = [np.zeros((96, 96), np.uint8)]
    return Lessons({**pictures, LATERAL: nothing, "neither": nothing}, pictures["xray"])


def test_lessons_are_the_same_for_the_same_seed_and_of_every_kind() -> None:
    drawn, kinds = lessons().draw(200, np.random.default_rng(5))
    again, same = lessons().draw(200, np.random.default_rng(5))
    np.testing.assert_array_equal(drawn, again)
    np.testing.assert_array_equal(kinds, same)
    assert drawn.shape == (200, 64, 64, 1)
    assert (drawn.min(), drawn.max()) == (0, 1)
    assert set(kinds.tolist()) == set(range(len(KINDS)))


def test_a_negative_of_a_lesson_is_dark_where_the_film_is_bright() -> None:
    drawn, kinds = lessons().draw(400, np.random.default_rng(6))
    middle = drawn[:, 28:36, 28:36].mean(axis=(1, 2, 3))  # spine and heart
    bright = {kind: middle[kinds == number].mean() for number, kind in enumerate(KINDS)}
    assert min(bright[kind] for kind in FILMS[:4]) > 0.5
    assert max(bright[kind] for kind in FILMS[4:]) < 0.5


def test_training_pictures_become_lessons(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(dicom(phantom("xray", 4), "DX"))
    found = gather([Example(path, label, "g", "s", "train") for label in ("xray", "neither")], [chest_volume()], 0)
    assert len(found.pictures["xray"]) > 1  # drawn chests beside it
    assert len(found.pictures["neither"]) > 3  # its guises, and drawings
    assert (len(found.pictures[LATERAL]), len(found.projected)) == (28, 20)
    assert {picture.shape for picture in found.pictures["ct"] + found.projected} == {(96, 96)}


def test_a_series_is_read_from_the_head_and_projected(tmp_path: Path) -> None:
    volume = chest_volume()
    for number, plane in enumerate(volume):  # the feet first
        position = [0, 0, 10.0 * (len(volume) - number)]
        data = dicom((plane + 1024).astype(np.uint16), "CT", ImagePositionPatient=position, SOPInstanceUID=generate_uid())
        (tmp_path / f"{number * 7 % 40:02}.dcm").write_bytes(data)
    read = read_series(tmp_path)
    np.testing.assert_allclose(read, volume, atol=1)
    front = next(films(read, lateral=False))
    assert front[20:80, 40:60].mean() < front[20:80, 75:85].mean()  # lung beside spine
    assert front[20:80, 40:60].mean() < front[140:, 40:60].mean()  # lung above belly


def test_numpy_answers_as_the_network_that_was_trained() -> None:
    from models.backend import keras

    keras.utils.set_random_seed(1)
    network = fit._build()
    rng = np.random.default_rng(2)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, weight.shape) for weight in layer.get_weights()])
    pictures = rng.random((3, 64, 64, 1), np.float32)
    plain = Network(fit._plain(network), 0.5)
    assert plain.logits(pictures) == pytest.approx(np.asarray(network(pictures)), rel=0.02, abs=0.05)  # half precision
