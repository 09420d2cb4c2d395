"""The store takes what a folder holds that is whole, and says what is not."""

import json
import shutil
from pathlib import Path

import pytest

from lungline.errors import ModelError
from lungline.findings import Modality
from models.files import CARD, ENSEMBLES, MEMBER, WEIGHTS, adopt, read_ensemble, read_member, stored_members
from models.registry import SHIPPED, shipped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "folder"))


def test_ensemble_with_another_member_version_blocks_no_other(folder: Path, tmp_path: Path) -> None:
    """As where a training was killed after it had replaced a member, and before it made the ensemble anew."""
    path, store = folder / ENSEMBLES / "ct.json", tmp_path / "store"
    facts = json.loads(path.read_text())
    facts["members"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps(facts))
    with pytest.raises(ModelError) as caught:
        adopt(folder, store)
    assert "`ct`" in str(caught.value)
    assert "git" not in str(caught.value)
    assert "Train by its recipe again" in str(caught.value)
    for files in (shipped()[Modality.XRAY], read_ensemble(folder, "admission")):
        assert read_ensemble(store, files.version).version == files.version
    members = {read_member(value.parent).version for value in folder.glob(f"*/{MEMBER}")}
    assert {member.name for member in stored_members(store)} == members


def test_damaged_member_blocks_its_ensembles_alone(folder: Path, tmp_path: Path) -> None:
    member = read_ensemble(folder, "xray").places[0].member
    (member.folder / WEIGHTS).write_bytes(b"")
    with pytest.raises(ModelError) as caught:
        adopt(folder, tmp_path / "store")
    assert str(caught.value).count(member.version) == 1
    assert {path.stem.partition("-")[0] for path in (tmp_path / "store" / ENSEMBLES).glob("*.json")} == {"ct", "admission"}
    assert not (tmp_path / "store" / member.name).exists()


def test_a_draft_that_was_left_is_no_member(folder: Path, tmp_path: Path) -> None:
    (folder / ".xray-cnn.part").mkdir()
    (folder / ".xray-cnn.part" / MEMBER).write_text("{")
    assert len(adopt(folder, tmp_path / "store")) == 3


def test_newer_evaluations_are_merged_into_the_store(folder: Path, tmp_path: Path) -> None:
    store, described = tmp_path / "store", [folder / "xray-cnn" / MEMBER, folder / ENSEMBLES / "xray.json"]
    whole = [path.read_text() for path in described]
    for path, text in zip(described, whole, strict=True):
        facts = json.loads(text)
        path.write_text(json.dumps({name: value for name, value in facts.items() if name != "figures"}))
    version = next(files.version for files in adopt(folder, store) if files.name == "xray")

    def known() -> set[tuple[str, ...]]:
        files = read_ensemble(store, version)
        return {
            tuple(sorted(files.evaluations)),
            *(tuple(sorted(p.member.evaluations)) for p in files.places if p.member.name == "xray-cnn"),
        }

    assert known() == {("val",)}
    less = [path.read_text() for path in described]
    for texts in (whole, less):
        for path, text in zip(described, texts, strict=True):
            path.write_text(text)
        adopt(folder, store)
        assert known() == {("test", "val")}


def test_member_that_was_never_judged_can_be_taken_repeatedly(folder: Path, tmp_path: Path) -> None:
    (folder / "xray-cnn" / CARD).unlink()
    for _ in range(2):
        assert len(adopt(folder, tmp_path / "store")) == 3
