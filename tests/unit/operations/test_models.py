"""Which ensemble judges, and how that is changed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lungline.errors import ModelError
from lungline.findings import Modality
from lungline.layout import Store
from lungline.settings import load
from models.files import adopt
from models.registry import SHIPPED, list_descriptions, shipped
from operations.models import describe, list_versions, promote, rollback

_XRAY = shipped()[Modality.XRAY].version


def champions() -> set[object]:
    return {row["version"] for row in list_versions(load()) if row["kind"] == "ensemble" and row["state"] == "champion"}


@pytest.fixture
def adopted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Puts another X-ray ensemble into the store, of the shipped members with another margin; returns its version."""
    monkeypatch.setenv("LUNGLINE_ENGINE", "keras")

    def make() -> str:
        copy = Path(shutil.copytree(SHIPPED, tmp_path / "trained"))
        path = copy / "ensembles" / "xray.json"
        ensemble = json.loads(path.read_text())
        ensemble["thresholds"]["margin"] = 0.11
        path.write_text(json.dumps(ensemble))
        (version,) = (files.version for files in adopt(copy, Store(load().store).models) if files.name == "xray")
        return version

    return make


def test_a_promotion_names_the_former_champion_to_go_back_to(adopted: Callable[[], str]) -> None:
    version = adopted()
    assert version != _XRAY
    change = promote(load(), version, "dr who", "better on our scans")
    assert (change.files.version, change.former, change.limited_member) == (version, _XRAY, None)
    assert version in champions()
    back = rollback(load(), "xray", "dr who", "worse after all")
    assert (back.files.version, back.former) == (_XRAY, version)
    assert _XRAY in champions()


def test_a_promotion_without_grounds_changes_nothing() -> None:
    with pytest.raises(ModelError, match="--why"):
        promote(load(), _XRAY, "dr who", " ")
    assert _XRAY in champions()


def test_every_version_at_hand_is_listed_and_described(home: Path) -> None:
    found = list_descriptions(home)
    assert {row["version"] for row in list_versions(load())} == {each.version for each in found}
    assert describe(load(), _XRAY) in found
    with pytest.raises(ModelError, match="lungline models list"):
        describe(load(), "xray-9-00000000")
