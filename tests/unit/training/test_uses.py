"""Looks at a test split are counted."""

from pathlib import Path

import pytest

from lungline.errors import TrainingError
from lungline.findings import Modality
from training.uses import USES, use


def test_each_version_counts_once_and_modalities_apart(tmp_path: Path) -> None:
    assert use(tmp_path, Modality.CT, "ct-a", writes=True) == ["ct-a"]
    assert use(tmp_path, Modality.CT, "ct-b", writes=True) == ["ct-a", "ct-b"]
    assert use(tmp_path, Modality.CT, "ct-a", writes=True) == ["ct-a", "ct-b"]
    assert use(tmp_path, Modality.XRAY, "xray-a", writes=True) == ["xray-a"]
    assert use(tmp_path, None, "admission-a", writes=True) == ["admission-a"]


def test_a_look_that_is_not_written_is_told_and_not_kept(tmp_path: Path) -> None:
    assert use(tmp_path, Modality.CT, "ct-a", writes=False) == ["ct-a"]
    assert not (tmp_path / USES).exists()


def test_a_damaged_list_is_told(tmp_path: Path) -> None:
    (tmp_path / USES).write_text("{")
    with pytest.raises(TrainingError, match=USES):
        use(tmp_path, Modality.CT, "ct-a", writes=True)
