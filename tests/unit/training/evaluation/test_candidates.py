"""What there is to judge, in folders of each kind."""

import shutil
from pathlib import Path

import pytest

from lungline.errors import TrainingError
from lungline.findings import Modality
from models.files import ENSEMBLES, adopt, read_member
from models.registry import SHIPPED, shipped, shipped_admission
from training.evaluation.candidates import choose_candidates, list_candidates


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store that holds what ships."""
    adopt(SHIPPED, tmp_path / "models")
    return tmp_path / "models"


def test_finds_shipped_and_stored_candidates_members_first(store: Path) -> None:
    expected = []
    for files in (shipped_admission(), *(shipped()[modality] for modality in sorted(Modality))):
        expected += [place.member.version for place in files.places] + [files.version] * (files.modality is not None)
    expected += [read_member(SHIPPED / name).version for name in ("ct-student", "xray-student")]
    for root in (SHIPPED, store):
        found = list_candidates(root, writes=False)
        assert [result.what.version for result in found] == expected
    admission = list_candidates(store, writes=True)[0]
    assert admission.threshold == shipped_admission().thresholds["neither"]
    assert admission.writes


def test_finds_lone_members_and_skips_damaged_ones(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = shipped()[Modality.CT]
    (store / ENSEMBLES / f"{files.version}.json").write_text("{")
    found = {candidate.what.version: candidate for candidate in list_candidates(store, writes=False)}
    assert files.version not in found
    for place in files.places:
        assert found[place.member.version].within == frozenset()
    assert "skipped" in capsys.readouterr().err


def test_ensemble_is_chosen_with_members_once_a_version(store: Path) -> None:
    both = list_candidates(SHIPPED, writes=False) + list_candidates(store, writes=True)
    files = shipped()[Modality.XRAY]
    versions = [*(place.member.version for place in files.places), files.version]
    for name in (files.name, files.version):
        taken = choose_candidates(both, [name])
        assert [candidate.what.version for candidate in taken] == versions
        assert not any(candidate.writes for candidate in taken)
    (member,) = choose_candidates(both, [files.places[0].member.name])
    assert member.what.version == versions[0]
    assert len(choose_candidates(both, [])) == len(both) / 2


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "models")
    with pytest.raises(TrainingError, match="nobody"):
        choose_candidates(list_candidates(tmp_path / "models", writes=False), ["xray", "nobody"])
    with pytest.raises(TrainingError, match="no model"):
        choose_candidates([], [])
