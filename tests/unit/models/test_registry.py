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
from models.files import WEIGHTS, EnsembleFiles, read_ensemble
from models.registry import SHIPPED, descriptions, load_admission, load_ensemble, shipped, shipped_admission


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "shipped"))


def test_each_modality_ships_an_ensemble_whose_version_names_its_files() -> None:
    found = shipped()
    assert set(found) == set(Modality)
    for modality, files in found.items():
        assert files.modality is modality
        assert files.version == f"{modality.value}-{files.number}-{files.sha256[:8]}"
    assert shipped_admission().modality is None


def test_version_changes_with_weights_calibration_and_thresholds() -> None:
    files = shipped()[Modality.XRAY]
    place = files.places[0]

    def with_place(**changes: object) -> EnsembleFiles:
        return dataclasses.replace(files, places=(dataclasses.replace(place, **changes),))  # type: ignore[arg-type]

    others = [
        with_place(temperature=place.temperature + 0.1),
        with_place(weight=2.0),
        with_place(member=dataclasses.replace(place.member, sha256="0" * 64)),
        with_place(member=dataclasses.replace(place.member, preprocess="gray-96")),
        dataclasses.replace(files, thresholds={**files.thresholds, "margin": 0.123456}),
    ]
    assert len({files.version, *(other.version for other in others)}) == len(others) + 1


def test_describing_loads_no_network_library() -> None:
    code = (
        "import sys, models.registry as r; r.descriptions(); print([m for m in ('keras', 'tensorflow', 'jax', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_descriptions_list_ensembles_with_their_members() -> None:
    found = descriptions()
    assert [each.kind for each in found].count("ensemble") == 3
    assert len({each.version for each in found}) == len(found)
    for each in found:
        assert each.version in each.text()
        assert len(each.sha256) == 64


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
    other = dataclasses.replace(place, member=dataclasses.replace(place.member, architecture="small_cnn"))
    with pytest.raises(ModelError, match="do not fit"):
        load_ensemble(dataclasses.replace(files, places=(other,)))


def test_a_member_that_the_ensemble_was_not_made_of_is_refused(copy: Path) -> None:
    path = copy / "ensembles" / "ct.json"
    told = json.loads(path.read_text())
    told["members"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps(told))
    with pytest.raises(ModelError, match="not the one"):
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
