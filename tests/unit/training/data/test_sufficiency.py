"""Of what nothing could be learnt or judged is told before hours go into it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lungline.errors import TrainingError
from lungline.findings import Modality
from training.data import manifests, sufficiency
from training.data.manifests import Row

BOTH = ("covid19", "non_covid")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[list[Row]], Path]:
    def write_manifest(rows: list[Row]) -> Path:
        manifests.write(tmp_path / "manifest.csv", rows)
        return tmp_path

    return write_manifest


def rows(split: str, modality: str, labels: tuple[str, ...], count: int, source: str = "clinic") -> list[Row]:
    return [
        Row(2, Path(f"{modality}/{split}-{label}-{source}-{number}.png"), modality, label, "", f"{split}{label}{number}", source, split)
        for label in labels
        for number in range(count)
    ]


def evaluated_rows(modality: str, labels: tuple[str, ...]) -> list[Row]:
    return [row for split in ("val", "gate") for row in rows(split, modality, labels, 2)]


def fault(folder: Path, modality: Modality, *names: str) -> str:
    with pytest.raises(TrainingError) as caught:
        sufficiency.require(folder, [modality], names)
    return str(caught.value)


def test_enough_of_both_passes(write: Callable[[list[Row]], Path]) -> None:
    folder = write([*rows("train", "ct", BOTH, 10), *evaluated_rows("ct", BOTH)])
    sufficiency.require(folder, [Modality.CT], ["ct-cnn", "ct-mobilenetv2"])
    assert sufficiency.sufficient(folder, ["ct-cnn", "xray-cnn"]) == {"ct"}


def test_all_that_is_missing_is_told_of_each_modality(write: Callable[[list[Row]], Path]) -> None:
    folder = write(rows("train", "ct", ("non_covid",), 10))
    with pytest.raises(TrainingError) as caught:
        sufficiency.require(folder, [Modality.XRAY, Modality.CT], ["xray-cnn", "ct-cnn"])
    assert "There is no xray scan in `train`" in str(caught.value)
    assert "The ct scans in `train` have only one finding (non_covid)" in str(caught.value)


def test_what_is_judged_is_of_labels_that_figures_are_about(write: Callable[[list[Row]], Path]) -> None:
    """`normal` and `cap` are learnt as non_covid, and flatter every figure."""
    folder = write([*rows("train", "ct", BOTH, 10), *evaluated_rows("ct", ("covid19", "normal", "cap"))])
    assert "`val` has no ct scan of non_covid" in fault(folder, Modality.CT, "ct-cnn")


def test_recipe_within_sources_needs_one_with_both_findings(write: Callable[[list[Row]], Path]) -> None:
    folder = write(
        [*rows("train", "ct", ("covid19",), 12, "one"), *rows("train", "ct", ("non_covid",), 12, "other"), *evaluated_rows("ct", BOTH)]
    )
    assert "one source" in fault(folder, Modality.CT, "ct-mobilenetv2")


def test_fewer_than_ten_of_a_finding_teach_nothing(write: Callable[[list[Row]], Path]) -> None:
    folder = write([*rows("train", "ct", ("covid19",), 9), *rows("train", "ct", ("non_covid",), 10), *evaluated_rows("ct", BOTH)])
    assert "Fewer than 10 ct scans of covid19" in fault(folder, Modality.CT, "ct-cnn")
