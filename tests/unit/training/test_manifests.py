"""Manifests that are not there, or cannot be written."""

from pathlib import Path

import pytest

from lungline.errors import TrainingError
from tests.unit.training.building import made
from training import manifests


def test_a_manifest_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"There is no such manifest.*docs/data\.md"):
        manifests.read(tmp_path / "none.csv")


def test_a_folder_that_is_no_clone_of_covid_chestxray_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    with pytest.raises(TrainingError, match=r"holds no `metadata.csv`: name a clone of ieee8023/covid-chestxray-dataset"):
        made("ieee8023", tmp_path / "pictures", tmp_path)


def test_what_cannot_be_written_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").mkdir()  # nothing can take its place
    with pytest.raises(TrainingError, match="cannot be written"):
        manifests.write(tmp_path / "manifest.csv", [])
    assert not list(tmp_path.glob(".*"))


def test_a_picture_whose_name_is_no_utf_8_is_found_again(tmp_path: Path) -> None:
    name = tmp_path / "caf\udce9.png"
    name.touch()
    rows = [manifests.Row(2, name, "xray", "normal", "", "1", "Bröt", "train")]
    manifests.write(tmp_path / "manifest.csv", rows)
    assert b"caf\xe9.png" in (tmp_path / "manifest.csv").read_bytes()
    (row,) = manifests.read(tmp_path / "manifest.csv")
    assert row.path.is_file()
    assert row.source == "Bröt"
