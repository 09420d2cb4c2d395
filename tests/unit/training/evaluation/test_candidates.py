"""What there is to judge, in folders of each kind."""

import shutil
from pathlib import Path

import pytest

from lungline.errors import TrainingError
from lungline.findings import Modality
from models.files import ENSEMBLES, adopt, read_member
from models.registry import SHIPPED, shipped, shipped_admission
from training.evaluation.candidates import candidates, chosen


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
        found = candidates(root, writes=False)
        assert [result.what.version for result in found] == expected
    admission = candidates(store, writes=True)[0]
    assert admission.threshold == shipped_admission().thresholds["neither"]
    assert admission.writes


def test_finds_lone_members_and_skips_damaged_ones(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = shipped()[Modality.CT]
    (store / ENSEMBLES / f"{files.version}.json").write_text("{")
    found = {candidate.what.version: candidate for candidate in candidates(store, writes=False)}
    assert files.version not in found
    for place in files.places:
        assert found[place.member.version].within == frozenset()
    assert "skipped" in capsys.readouterr().err


def test_ensemble_is_chosen_with_members_once_a_version(store: Path) -> None:
    both = candidates(SHIPPED, writes=False) + candidates(store, writes=True)
    files = shipped()[Modality.XRAY]
    versions = [*(place.member.version for place in files.places), files.version]
    for name in (files.name, files.version):
        taken = chosen(both, [name])
        assert [candidate.what.version for candidate in taken] == versions
        assert not any(candidate.writes for candidate in taken)
    (member,) = chosen(both, [files.places[0].member.name])
    assert member.what.version == versions[0]
    assert len(chosen(both, [])) == len(both) / 2


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "models")
    with pytest.raises(TrainingError, match="nobody"):
        chosen(candidates(tmp_path / "models", writes=False), ["xray", "nobody"])
    with pytest.raises(TrainingError, match="no model"):
        chosen([], [])
