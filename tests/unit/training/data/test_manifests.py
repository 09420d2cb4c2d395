"""Manifests that are not there, or cannot be written."""

from collections import Counter
from pathlib import Path

import pytest

from lungline.errors import TrainingError
from tests.unit.training.building import made
from training.data import manifests


def test_a_manifest_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"There is no such manifest.*docs/data\.md"):
        manifests.read(tmp_path / "none.csv")


def test_folder_without_a_covid_chestxray_clone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    with pytest.raises(TrainingError, match=r"has no `metadata.csv`: give a clone of ieee8023/covid-chestxray-dataset"):
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


HEAD = "path,modality,label,patient,group,source,split\n"


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "manifest.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_two_columns_of_one_name_are_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "path,modality,label,Label ,group,source,split\na.png,ct,cap,normal,g,s,train\n")
    with pytest.raises(TrainingError, match=r"`label` \(columns 3 and 4\)"):
        manifests.read(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_manifest_that_a_spreadsheet_wrote_is_read(tmp_path: Path, encoding: str, separator: str) -> None:
    text = "sep=,\r\n" + HEAD + "é.png,ct,cap,,g,s,train\r\n"
    (row,) = manifests.read(written(tmp_path, text.replace(",", separator), encoding))
    assert (row.number, row.path.name, row.label, row.split) == (2, "é.png", "cap", "train")


def test_unreadable_rows_are_all_named(tmp_path: Path) -> None:
    good = "".join(f"{number}.png,ct,cap,,g{number},s,train\n" for number in range(20))
    path = written(tmp_path, HEAD + 'x.png,ct,cap,"Doe,g,s,train\n' + good + "y.png,ct,cap,,g,s,train,more\n")
    with pytest.raises(TrainingError, match=r"is row 1\): 2, 23\.") as refused:
        manifests.read(path)
    assert "Doe" not in str(refused.value)
    skipped: Counter[str] = Counter()
    assert len(manifests.table_of(path, skipped)) == 20
    assert [why.split(",")[0] for why in skipped] == ["in row 2 of the table", "in row 23 of the table"]
