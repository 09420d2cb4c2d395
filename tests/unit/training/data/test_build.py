"""Folders, trees and tables become manifests that training reads."""

import hashlib
import zlib
from collections import Counter
from pathlib import Path

import pytest

from lungline.errors import TrainingError
from lungline.findings import Modality
from tests.unit.training import drawn
from tests.unit.training.building import by_file, made
from tests.unit.training.drawn import cloudy, save
from training.data import audit, datasets
from training.data.builders.groups import side_of
from training.data.builders.labels import Names


def folders(root: Path, *names: str, count: int = 3) -> Path:
    for name in names:
        for number in range(count):
            save(root / name / f"{number}.png", drawing(name, number))
    return root


def drawing(name: str, number: int) -> drawn.Picture:
    """What `folders` drew there."""
    return cloudy(zlib.crc32(f"{name} {number}".encode()))


def test_a_folder_a_class(tmp_path: Path) -> None:
    data = folders(tmp_path / "CXR set", "Corona", "No Findings", "Viral Pneumonia")
    made("folders", data, tmp_path)
    rows = drawn.read(tmp_path / "manifest.csv")
    assert Counter(row["label"] for row in rows) == {"covid19": 3, "normal": 3, "pneumonia": 3}
    assert {row["modality"] for row in rows} == {"xray"}
    assert {row["source"] for row in rows} == {"CXR set"}


def test_folders_within_a_class_are_patients(tmp_path: Path) -> None:
    data = folders(tmp_path / "ct", "covid/Smith", "covid/Jones", "non-covid/images", "non-covid/masks", count=2)
    built = made("folders", data, tmp_path)
    groups = Counter(row["group"] for row in drawn.read(tmp_path / "manifest.csv"))
    assert groups["Smith"] == groups["Jones"] == 2
    assert len(groups) == 4  # the others are nobody's: each is one
    assert built.skipped["that are masks"] == 2


def test_a_tree_keeps_its_split(tmp_path: Path) -> None:
    data = folders(tmp_path / "xray", "train/corona", "train/normal", "valid/corona", "valid/normal", "test/corona", "test/normal", count=2)
    made("tree", data, tmp_path)
    rows = drawn.read(tmp_path / "manifest.csv")
    assert Counter((row["split"], row["label"]) for row in rows) == {
        (split, label): 2 for split in ("train", "val", "test") for label in ("covid19", "normal")
    }
    assert len(datasets.load(tmp_path, Modality.XRAY).split("val")) == 4


def test_a_copy_across_a_tree_is_kept_and_found_or_left_out(tmp_path: Path) -> None:
    data = folders(tmp_path / "xray", "train/corona", "train/normal", "test/corona", "test/normal", count=2)
    save(data / "train" / "normal" / "copy.jpg", drawing("test/normal", 0), quality=80)
    built = made("tree", data, tmp_path)
    assert built.torn == 1
    assert {"near_duplicate", "split_leak"} <= {finding.check for finding in audit.audit(tmp_path / "manifest.csv").errors}
    made("tree", data, tmp_path, only_sound=True)
    assert "copy.jpg" not in by_file(tmp_path)
    assert audit.audit(tmp_path / "manifest.csv").errors == []


def test_only_sound_drops_clashing_and_unreadable_files(tmp_path: Path) -> None:
    data = folders(tmp_path / "xray", "covid", "normal")
    save(data / "normal" / "same.png", drawing("covid", 0))
    (data / "covid" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    built = made("folders", data, tmp_path)
    assert {finding.check for finding in audit.audit(tmp_path / "manifest.csv").errors} == {"label_clash", "unreadable"}
    assert built.unreadable == 1
    built = made("folders", data, tmp_path, only_sound=True)
    assert (built.skipped["that occur with two labels"], built.skipped["that cannot be read"]) == (2, 1)
    assert audit.audit(tmp_path / "manifest.csv").errors == []


def test_copies_are_joined_before_they_are_split(tmp_path: Path) -> None:
    data = folders(tmp_path / "xray", "covid", "normal", count=8)
    for number in range(8):
        save(data / "covid" / f"copy-{number}.jpg", drawing("covid", number), quality=70)
    made("folders", data, tmp_path)
    rows = {row["path"].removeprefix("xray/"): row for row in drawn.read(tmp_path / "manifest.csv")}
    for number in range(8):
        assert rows[f"covid/copy-{number}.jpg"]["group"] == rows[f"covid/{number}.png"]["group"]
    assert len({row["group"] for row in rows.values()}) == 16
    assert audit.audit(tmp_path / "manifest.csv").errors == []


def test_a_table_keeps_what_it_says_and_gets_what_it_lacks(tmp_path: Path) -> None:
    rows = []
    for number in range(6):
        path = save(tmp_path / "in" / f"{number}.png", cloudy(number))
        patient = f"p{number // 2}"
        rows.append({"path": path.name, "modality": "X-ray", "label": "COVID", "patient": patient, "source": "A", "split": ""})
    rows[0]["split"] = "Validation"
    drawn.write(tmp_path / "in" / "list.csv", rows)
    made("manifest", tmp_path / "in" / "list.csv", tmp_path / "out")
    built = by_file(tmp_path / "out")
    assert built["0.png"]["split"] == built["1.png"]["split"] == "val"  # of one patient
    assert built["2.png"]["split"] == side_of("p1")
    assert built["2.png"]["path"] == "../in/2.png"
    assert datasets.load(tmp_path / "out", Modality.XRAY).examples[2].path.read_bytes() == (tmp_path / "in" / "2.png").read_bytes()


def test_a_patient_of_two_groups_is_one_group(tmp_path: Path) -> None:
    rows = []
    for number, (patient, group) in enumerate((("p", "b"), ("p", "a"), ("", "c"))):
        path = save(tmp_path / f"{number}.png", cloudy(number))
        rows.append({"path": path.name, "modality": "ct", "label": "cap", "patient": patient, "group": group})
    drawn.write(tmp_path / "list.csv", rows)
    made("manifest", tmp_path / "list.csv", tmp_path)
    assert [row["group"] for row in drawn.read(tmp_path / "manifest.csv")] == ["a", "a", "c"]


def test_a_patient_never_changes_sides(tmp_path: Path) -> None:
    data = folders(tmp_path / "xray", *(f"{label}/patient{n}" for label in ("covid", "normal") for n in range(9)), count=1)
    made("folders", data, tmp_path / "first")
    before = side_by_group(tmp_path / "first")
    folders(tmp_path / "xray", "covid/another", "normal/patient3", count=5)
    made("folders", data, tmp_path / "second")
    after = side_by_group(tmp_path / "second")
    assert {group: after[group] for group in before} == before


def side_by_group(out: Path) -> dict[str, str]:
    return {row["group"]: row["split"] for row in drawn.read(out / "manifest.csv")}


def test_the_side_is_the_documented_function_of_the_groups_name() -> None:
    for group in ("ieee8023-2", "ä", "p17"):
        u = int(hashlib.sha256(group.encode()).hexdigest()[:8], 16) / 2**32
        assert side_of(group) == ("train" if u < 0.6 else "val" if u < 0.73 else "gate" if u < 0.85 else "test")
    sides = Counter(side_of(str(n)) for n in range(20_000))
    assert {split: round(count / 20_000, 2) for split, count in sides.items()} == {"train": 0.6, "val": 0.13, "gate": 0.12, "test": 0.15}


@pytest.mark.parametrize(
    ("modality", "name", "label"),
    [
        (Modality.XRAY, "COVID-19", "covid19"),
        (Modality.XRAY, "corona", "covid19"),
        (Modality.XRAY, "No Finding", "normal"),
        (Modality.XRAY, "CAP", "pneumonia"),
        (Modality.CT, "CAP", "cap"),
        (Modality.CT, "NonCOVID", "non_covid"),
        (Modality.CT, "CT_NonCOVID", "non_covid"),
        (Modality.CT, "non-COVID", "non_covid"),
    ],
)
def test_names_of_classes(modality: Modality, name: str, label: str) -> None:
    assert Names().label(modality, name) == label


def test_an_unknown_class_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    data = folders(tmp_path / "xray", "covid", "Lung_Opacity")
    with pytest.raises(TrainingError, match=r"`Lung_Opacity`.*covid19, pneumonia, normal.*--label"):
        made("folders", data, tmp_path)
    made("folders", data, tmp_path, "lung opacity=pneumonia")
    assert Counter(row["label"] for row in drawn.read(tmp_path / "manifest.csv")) == {"covid19": 3, "pneumonia": 3}
    built = made("folders", data, tmp_path, "Lung_Opacity=")
    assert built.skipped == {"of class `Lung_Opacity`, as `--label` says": 3}
    with pytest.raises(TrainingError, match="covid19, pneumonia, normal"):
        made("folders", data, tmp_path, "Lung_Opacity=opacity")


def test_a_modality_that_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    data = folders(tmp_path / "set", "covid", "normal")
    with pytest.raises(TrainingError, match="--modality"):
        made("folders", data, tmp_path)
    made("folders", data, tmp_path, modality=Modality.CT)
    assert {row["modality"] for row in drawn.read(tmp_path / "manifest.csv")} == {"ct"}


@pytest.mark.parametrize("kind", ["ieee8023", "covid-ct", "folders", "tree", "manifest"])
def test_what_is_of_another_kind_is_refused(kind: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "absent"):
        with pytest.raises(TrainingError):
            made(kind, path, tmp_path)
    assert not (tmp_path / "manifest.csv").exists()


def test_what_is_built_from_is_not_written_over(tmp_path: Path) -> None:
    manifest = drawn.sound(tmp_path)
    before = manifest.read_bytes()
    with pytest.raises(TrainingError, match="--out"):
        made("manifest", manifest, tmp_path)
    assert manifest.read_bytes() == before
