"""What ships is found without a network library, and loads only if every byte is right."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lungline.errors import ModelError
from lungline.findings import Modality
from models.files import WEIGHTS, EnsembleFiles, adopt, is_whole, read_ensemble
from models.registry import SHIPPED, find, list_descriptions, load_admission, load_ensemble, shipped, shipped_admission


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "shipped"))


def test_each_modality_ships_an_ensemble_that_names_its_files() -> None:
    found = shipped()
    assert set(found) == set(Modality)
    for modality, files in found.items():
        assert files.modality is modality
        assert files.version == f"{modality.value}-{files.number}-{files.sha256[:8]}"
    assert shipped_admission().modality is None


def test_version_depends_on_weights_calibration_and_thresholds() -> None:
    files = shipped()[Modality.XRAY]
    place = files.places[0]

    def with_place(**changes: object) -> EnsembleFiles:
        return dataclasses.replace(files, places=(dataclasses.replace(place, **changes),))  # type: ignore[arg-type]

    others = [
        with_place(temperature=place.temperature + 0.1),
        with_place(weight=2.0),
        with_place(member=dataclasses.replace(place.member, record=place.member.record.model_copy(update={"sha256": "0" * 64}))),
        with_place(member=dataclasses.replace(place.member, record=place.member.record.model_copy(update={"preprocess": "gray-96"}))),
        dataclasses.replace(files, thresholds={**files.thresholds, "margin": 0.123456}),
    ]
    assert len({files.version, *(other.version for other in others)}) == len(others) + 1


def test_describing_loads_no_network_library() -> None:
    code = """
import sys, pathlib, models.registry, models.runtimes.choice
models.registry.list_descriptions(pathlib.Path())
print([name for name in ("keras", "tensorflow", "jax", "h5py", "openvino") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() == "[]"


def test_descriptions_list_ensembles_with_their_members(tmp_path: Path) -> None:
    found = list_descriptions(tmp_path)
    assert [each.kind for each in found].count("ensemble") == 3
    assert len({each.version for each in found}) == len(found)
    for each in found:
        assert each.version in each.text()
        assert len(each.sha256) == 64
        assert each.shipped
        assert (each.kind == "ensemble") == bool(each.members)
    students = {each.version for each in found if "teacher" in each.contents}
    assert {member for each in found for member in each.members} | students == {each.version for each in found if each.kind == "member"}
    assert all(set(each.evaluations) == {"val", "test"} for each in found if each.kind == "member")


@pytest.mark.parametrize("name", ["xray", "ct"])
def test_damaged_weights_are_refused_by_name(copy: Path, name: str) -> None:
    files = read_ensemble(copy, name)
    weights = files.places[0].member.folder / WEIGHTS
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelError, match=rf"{files.places[0].member.version}.*damaged.*git checkout"):
        load_ensemble(files)


def test_missing_weights_are_refused_by_name(copy: Path) -> None:
    files = read_ensemble(copy, "admission")
    (files.places[0].member.folder / WEIGHTS).unlink()
    with pytest.raises(ModelError, match=f"{files.places[0].member.version}.*missing"):
        load_admission(files)


def test_weights_of_another_network_are_refused(copy: Path) -> None:
    files = read_ensemble(copy, "xray")
    place = files.places[0]
    other = dataclasses.replace(
        place, member=dataclasses.replace(place.member, record=place.member.record.model_copy(update={"architecture": "small_cnn"}))
    )
    with pytest.raises(ModelError, match="do not fit"):
        load_ensemble(dataclasses.replace(files, places=(other,)))


def test_a_member_that_the_ensemble_was_not_made_of_is_refused(copy: Path) -> None:
    path = copy / "ensembles" / "ct.json"
    facts = json.loads(path.read_text())
    facts["members"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps(facts))
    with pytest.raises(ModelError, match="is not the member that"):
        read_ensemble(copy, "ct")


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"number": 1, "thresholds": {}}'])
def test_a_damaged_description_is_refused(copy: Path, damage: str) -> None:
    (copy / "ensembles" / "ct.json").write_text(damage)
    with pytest.raises(ModelError, match="`ct`"):
        read_ensemble(copy, "ct")


@pytest.mark.parametrize("damage", ["", "[]", "{}"])
def test_a_damaged_member_is_refused(copy: Path, damage: str) -> None:
    member = read_ensemble(copy, "ct").places[0].member
    (member.folder / "member.json").write_text(damage)
    with pytest.raises(ModelError, match=member.name):
        read_ensemble(copy, "ct")


def test_missing_threshold_is_told(copy: Path) -> None:
    with pytest.raises(ModelError, match="threshold"):
        load_ensemble(dataclasses.replace(read_ensemble(copy, "ct"), thresholds={}))


def made_anew(copy: Path, margin: float) -> Path:
    """A folder as training writes it, with another X-ray ensemble of the shipped members."""
    path = copy / "ensembles" / "xray.json"
    facts = json.loads(path.read_text())
    facts["thresholds"]["margin"] = margin
    path.write_text(json.dumps(facts))
    return copy


def test_versions_stand_side_by_side_in_the_store(copy: Path, tmp_path: Path) -> None:
    store = tmp_path / "models"
    versions = {files.version for margin in (0.1, 0.2, 0.1) for files in adopt(made_anew(copy, margin), store) if files.name == "xray"}
    assert len(versions) == 2
    found = {each.version: each for each in list_descriptions(store)}
    for version in versions:
        assert not found[version].shipped
        files = find(version, store)
        assert files.version == version
        assert files.places[0].member.folder.is_relative_to(store)
        assert files.places[0].member.checked_weights().is_file()
    assert found[shipped_admission().version].shipped  # the same version lies in the store, too
    assert not [path for path in store.rglob("*") if path.name.startswith(".")]


def test_card_and_figures_of_an_ensemble_are_kept_up_to_date(copy: Path, tmp_path: Path) -> None:
    store, path = tmp_path / "models", made_anew(copy, 0.1) / "ensembles" / "xray.json"
    for auroc in (0.8, 0.9):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"figures": {"macro_auroc": auroc}}))
        path.with_suffix(".md").write_text(f"AUROC {auroc}")
        (version,) = (files.version for files in adopt(copy, store) if files.name == "xray")
        found = next(each for each in list_descriptions(store) if each.version == version)
        assert found.evaluations["test"].as_json() == {"macro_auroc": auroc}
        assert found.text() == f"AUROC {auroc}"


def test_what_is_damaged_is_not_adopted(copy: Path, tmp_path: Path) -> None:
    (read_ensemble(copy, "xray").places[0].member.folder / WEIGHTS).write_bytes(b"")
    with pytest.raises(ModelError, match="damaged"):
        adopt(made_anew(copy, 0.1), tmp_path / "models")
    assert "xray" not in {each.name for each in list_descriptions(tmp_path / "models") if not each.shipped}


@pytest.mark.parametrize("damage", ["", "{}", None])
def test_version_damaged_in_the_store_is_skipped_and_refused(copy: Path, tmp_path: Path, damage: str | None) -> None:
    store = tmp_path / "models"
    (version,) = (files.version for files in adopt(made_anew(copy, 0.1), store) if files.name == "xray")
    path = store / "ensembles" / f"{version}.json"
    path.write_text(path.read_text().replace("0.1", "0.3") if damage is None else damage)
    assert version not in {each.version for each in list_descriptions(store)}
    with pytest.raises(ModelError, match="damaged"):
        find(version, store)


def test_a_version_that_is_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="are missing"):
        find("xray-9-00000000", tmp_path)


def test_a_member_that_a_power_cut_tore_is_taken_anew(tmp_path: Path) -> None:
    files = shipped()[Modality.XRAY]
    root = files.places[0].member.folder.parent
    adopt(root, tmp_path)
    torn = tmp_path / files.places[0].member.name / files.places[0].member.version
    (torn / "network.weights.h5").write_bytes(b"")
    adopt(root, tmp_path)
    assert is_whole(torn)
