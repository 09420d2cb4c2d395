"""The audit's look at what a data set has too little of."""

from pathlib import Path

from training.data.audit import checks
from training.data.manifests import Row


def in_train(*rows: tuple[str, str]) -> list[str]:
    made = [Row(number, Path(), modality, label, "", "", "", "train") for number, (modality, label) in enumerate(rows, 2)]
    return [found.detail for found in checks.imbalance(made) if found.detail.endswith("in train")]


def test_finding_without_pictures_is_reported_as_missing() -> None:
    assert in_train(("xray", "covid19"), ("xray", "normal"), ("ct", "covid19"), ("ct", "cap")) == ["xray: no pneumonia in train"]


def test_pictures_without_a_label_are_no_picture_of_any() -> None:
    assert in_train(("ct", "")) == ["ct: no covid19 and non_covid in train"]
