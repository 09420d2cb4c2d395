"""What the pose network learns from, and that numpy runs what Keras trained."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import generate_uid

from imaging.phantoms import phantom, picture
from lungline.errors import TrainingError
from models.pose import DESCRIPTION, FILMS, KINDS, LATERAL, SHIPPED, Network, read, read_record
from models.records import LeftOutHalf, PoseRecord
from tests.corpus.files import dicom, png
from training.data.datasets import Example
from training.evaluation.test_split_log import FILE_NAME
from training.evaluation.test_split_log import read as read_uses
from training.pose import fit
from training.pose.card import render_pose_card
from training.pose.examples import PoseExamples, gather, kept
from training.pose.judge import judge, measure
from training.pose.make import find_splits_of_patients, make, read_volumes
from training.pose.projections import project_films, read_series, vary


def chest_volume() -> np.ndarray:
    """A drawn chest in Hounsfield units: the lungs end above the belly."""
    plane = phantom("ct", 1, 64).astype(np.float32) - 1024
    belly = np.where(plane > -500, plane, np.where(np.abs(np.indices(plane.shape) - 32).max(axis=0) < 18, 40, plane))
    return np.stack([plane] * 30 + [belly] * 10)


def pose_examples() -> PoseExamples:
    pictures = {
        name: [kept(picture("xray" if name == "xray" else "ct", 3).astype(np.float32) / np.float32(255))] for name in ("xray", "ct")
    }
    nothing = [np.zeros((96, 96), np.uint8)]
    return PoseExamples({**pictures, LATERAL: nothing, "neither": nothing}, pictures["xray"])


def test_pose_pictures_repeat_by_seed_and_cover_every_kind() -> None:
    drawn, kinds = pose_examples().draw(200, np.random.default_rng(5))
    repeated, same = pose_examples().draw(200, np.random.default_rng(5))
    np.testing.assert_array_equal(drawn, repeated)
    np.testing.assert_array_equal(kinds, same)
    assert drawn.shape == (200, 64, 64, 1)
    assert (drawn.min(), drawn.max()) == (0, 1)
    assert set(kinds.tolist()) == set(range(len(KINDS)))


def test_negative_is_dark_where_the_film_is_bright() -> None:
    drawn, kinds = pose_examples().draw(400, np.random.default_rng(6))
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
    assert (len(found.pictures[LATERAL]), len(found.projected)) == (9 * 28, 9 * 20)  # the volume's, and those of bodies made of it
    assert {picture.shape for picture in found.pictures["ct"] + found.projected} == {(96, 96)}


def test_a_series_is_read_from_the_head_and_projected(tmp_path: Path) -> None:
    volume = chest_volume()
    for number, plane in enumerate(volume):  # the feet first
        position = [0, 0, 10.0 * (len(volume) - number)]
        data = dicom((plane + 1024).astype(np.uint16), "CT", ImagePositionPatient=position, SOPInstanceUID=generate_uid())
        (tmp_path / f"{number * 7 % 40:02}.dcm").write_bytes(data)
    read = read_series(tmp_path)
    np.testing.assert_allclose(read, volume, atol=1)
    front = next(project_films(read, lateral=False))
    assert front[20:80, 40:60].mean() < front[20:80, 75:85].mean()  # lung beside spine
    assert front[20:80, 40:60].mean() < front[140:, 40:60].mean()  # lung above belly


def test_body_made_of_a_film_has_a_spine_and_clear_lungs() -> None:
    volume = chest_volume()
    made = vary(volume, np.random.default_rng(3))
    assert made.dtype == np.float32
    assert len(volume) * 0.5 <= len(made) <= len(volume)
    assert made[:, 40:].max() > volume.max() + 50
    assert made[:20, 32, 12:16].max() < -500  # lung
    np.testing.assert_array_equal(vary(volume, np.random.default_rng(3)), made)


@pytest.mark.parametrize("split", ["test", "demo", "val", "gate", "holdout", "nowhere"])
@pytest.mark.parametrize("kind", ["series", "rendered"])
def test_series_of_a_patient_outside_training_is_refused(tmp_path: Path, split: str, kind: str) -> None:
    root = data_set(tmp_path, {"ctmd_A1": "train", "ctmd_B1": split} if split != "nowhere" else {"ctmd_A1": "train"})
    folders = [tmp_path / "series" / f"covid_ct_md_{name}" for name in ("A1", "B1")]
    listed = rendered(tmp_path, ["ctmd_A1", "ctmd_B1"])
    with pytest.raises(TrainingError, match=r"1 of the CT series .* not have in the split `train`") as refused:
        make([root], folders, [], tmp_path / "out", 0) if kind == "series" else make([root], [], [listed], tmp_path / "out", 0)
    assert "B1" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_patient_in_train_and_in_another_split_is_refused(tmp_path: Path) -> None:
    first, second = (data_set(tmp_path / name, {"ctmd_A1": split}) for name, split in (("one", "train"), ("two", "test")))
    assert find_splits_of_patients([first, second]) == {"a1": {"train", "test"}}
    with pytest.raises(TrainingError, match="split `train`"):
        read_volumes([first, second], [], [rendered(tmp_path, ["ctmd_A1"])])


def test_a_series_of_a_training_patient_is_taken(tmp_path: Path) -> None:
    volumes = read_volumes([data_set(tmp_path, {"ctmd_A1": "train"})], [], [rendered(tmp_path, ["ctmd_A1"])])
    assert [volume.shape for volume in volumes] == [(2, 8, 8)]
    assert volumes[0].mean(axis=(1, 2)) == pytest.approx([0, -1200])  # the head, which has the higher number, first


def test_laterals_are_not_judged_on_patients_of_training(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "pose")
    with pytest.raises(TrainingError, match="may have learned from"):
        judge(tmp_path / "pose", [data_set(tmp_path, {"ctmd_A1": "train"})], [tmp_path / "covid_ct_md_A1"])
    assert not (tmp_path / FILE_NAME).exists()  # no look was taken


def test_the_card_that_ships_is_that_of_the_description() -> None:
    record = read_record(SHIPPED)
    assert (SHIPPED / "card.md").read_text() == render_pose_card(record)
    assert (SHIPPED / DESCRIPTION).read_text() == record.text()
    assert record.test_uses == tuple(read_uses(SHIPPED.parent)["pose"])


def test_what_was_measured_is_written_and_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "drawn"
    folder.mkdir()
    network = read(SHIPPED)
    examples = []
    for number, label in enumerate(("xray", "xray", "ct", "ct", "neither")):
        path = folder / f"{number}.png"
        path.write_bytes(png(phantom("ct" if label == "ct" else "xray", number)))
        examples.append(Example(path, label, f"group-{number}", "drawn", "val"))
    measured = measure(network, examples)
    assert measured["film_0"].images == measured["ct"].groups == 2
    assert measured["film_90"].by_source == {"drawn": (2, 2)}
    assert measured.neither is not None
    half = LeftOutHalf.model_validate(dict(measured) | {"epochs": 1, "threshold": 0.5})
    record = read_record(SHIPPED).model_copy(update={"val": measured, "left_out": (half,)})
    assert PoseRecord.model_validate_json(record.text()) == record
    assert "Sources left out" in render_pose_card(record)


def test_shuffled_labels_keep_the_same_pictures() -> None:
    drawn, kinds = pose_examples().draw(200, np.random.default_rng(5))
    same, shuffled = replace(pose_examples(), shuffled=True).draw(200, np.random.default_rng(5))
    np.testing.assert_array_equal(drawn, same)
    assert sorted(kinds) == sorted(shuffled)
    assert (kinds == shuffled).mean() < 0.4


def data_set(folder: Path, splits: dict[str, str]) -> Path:
    """A manifest of one slice of each patient."""
    folder.mkdir(exist_ok=True)
    rows = [f"ct/{patient}.png,ct,normal,{patient},g_{patient},s,{split}" for patient, split in splits.items()]
    (folder / "manifest.csv").write_text("\n".join(["path,modality,label,patient,group,source,split", *rows]) + "\n")
    return folder


def rendered(folder: Path, patients: list[str]) -> Path:
    """A manifest of two slices of each patient: the feet black, the head white."""
    (folder / "slices").mkdir()
    rows = []
    for patient in patients:
        for number, gray in ((8, 0), (10, 255)):
            path = folder / "slices" / f"{patient}_{number}.png"
            path.write_bytes(png(np.full((8, 8), gray, np.uint8)))
            rows.append(f"slices/{path.name},{patient},{number}")
    (folder / "slices" / "manifest.csv").write_text("\n".join(["path,patient,slice", *rows]) + "\n")
    return folder / "slices" / "manifest.csv"


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
