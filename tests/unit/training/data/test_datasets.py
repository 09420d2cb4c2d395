"""The manifest, its splits, and the promise that no group is on two sides."""

import csv
import shutil
from pathlib import Path

import pytest

from lungline.errors import TrainingError
from lungline.findings import Modality
from training.data import datasets
from training.data.datasets import Example, check_groups, load, read_pictures


def test_labels_are_findings_or_modalities_by_the_task(tiny_data: Path) -> None:
    assert {example.label for example in load(tiny_data, Modality.CT).examples} == {"covid19", "non_covid", "cap"}
    assert {example.label for example in load(tiny_data, None).examples} == {"xray", "ct", "neither"}


def test_hash_tells_a_changed_manifest(tiny_data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_data, tmp_path / "copy"))
    assert load(copy, None).sha256 == load(tiny_data, None).sha256
    with (copy / "neither" / "manifest.csv").open("a") as file:
        file.write("x.jpg,g,s,train\r\n")
    assert load(copy, None).sha256 != load(tiny_data, None).sha256


def test_a_group_on_two_sides_is_refused(tiny_data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_data, tmp_path / "copy"))
    manifest = copy / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("xray-normal-test-0", "xray-normal-train-0"))
    with pytest.raises(TrainingError, match="1 groups"):
        load(copy, Modality.XRAY)


def test_demo_pictures_may_be_originals_of_test_only() -> None:
    def example(split: str) -> Example:
        return Example(Path("a"), "normal", "one", "somewhere", split)

    check_groups([example("test"), example("demo")])
    with pytest.raises(TrainingError):
        check_groups([example("train"), example("demo")])
    with pytest.raises(TrainingError, match="split"):
        check_groups([example("trian")])


@pytest.mark.parametrize("modality", [*Modality, None])
def test_the_labelled_scans_keep_the_promise(training_data: Path, modality: Modality | None) -> None:
    data = load(training_data, modality)
    sides = [{example.group for example in data.split(split)} for split in ("train", "val", "gate", "test")]
    assert all(sides)
    assert not any(side & other for number, side in enumerate(sides) for other in sides[:number])


def test_missing_manifest_column_split_and_picture_are_told(tiny_data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="LUNGLINE_TRAINING_DATA"):
        load(tmp_path, Modality.CT)
    (tmp_path / "manifest.csv").write_text("path,label\na.jpg,normal\n")
    with pytest.raises(TrainingError, match="group, modality, source, split"):
        load(tmp_path, Modality.CT)
    data = load(tiny_data, Modality.CT)
    with pytest.raises(TrainingError, match="`gate`"):
        data.split("gate")
    gone = [Example(tmp_path / "patient-name.jpg", "normal", "g", "s", "train")]
    with pytest.raises(TrainingError, match="1 pictures") as caught:
        read_pictures(gone, "gray-96")
    assert "patient-name" not in str(caught.value)


def test_pictures_are_prepared_as_in_serving(tiny_data: Path) -> None:
    import numpy as np

    from imaging.read import read
    from models.preprocess import prepare

    examples = load(tiny_data, Modality.XRAY).split("val")[:2]
    served = [prepare("gray-96", read(example.path.read_bytes()).pixels) for example in examples]
    np.testing.assert_array_equal(datasets.read_pictures(examples, "gray-96"), served)


def test_paths_of_strangers_may_begin_at_the_data_sets_folder(tiny_data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_data, copy)
    manifest = copy / "neither" / "manifest.csv"
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "path": f"neither/{row['path']}"} for row in rows)
    found = [example.path for example in load(copy, None).examples if example.label == "neither"]
    assert len(found) == len(rows)
    assert all(path.is_file() for path in found)
