"""Looks at a test split are counted."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lungline.errors import TrainingError
from lungline.findings import Modality
from models.records import EnsembleRecord, Evaluation
from models.registry import SHIPPED
from training.evaluation.test_split_log import FILE_NAME, SplitLog, find_uses_by_what_ships, read
from training.predictions.predict import Predictions


def test_each_version_counts_once_and_modalities_apart(tmp_path: Path) -> None:
    test_split_log = SplitLog(tmp_path / "not there yet")
    assert test_split_log.record(Modality.CT, "ct-a") == ("ct-a",)
    assert test_split_log.record(Modality.CT, "ct-b") == ("ct-a", "ct-b")
    assert test_split_log.record(Modality.CT, "ct-a") == ("ct-a", "ct-b")
    assert test_split_log.record(Modality.XRAY, "xray-a") == ("xray-a",)
    assert test_split_log.record(None, "admission-a") == ("admission-a",)
    assert read(tmp_path / "not there yet") == {"ct": ["ct-a", "ct-b"], "xray": ["xray-a"], "admission": ["admission-a"]}


def test_looks_at_the_same_data_from_elsewhere_count_too(tmp_path: Path) -> None:
    assert SplitLog(tmp_path, {"ct": ["ct-shipped"]}).record(Modality.CT, "ct-a") == ("ct-shipped", "ct-a")
    assert SplitLog(tmp_path).record(Modality.CT, "ct-b") == ("ct-shipped", "ct-a", "ct-b")


def test_another_test_split_has_a_list_of_its_own(tmp_path: Path) -> None:
    SplitLog(tmp_path).record(Modality.CT, "ct-a")
    assert SplitLog(tmp_path, data="1234abcd").record(Modality.CT, "ct-b") == ("ct-b",)
    assert SplitLog(tmp_path).record(Modality.CT, "ct-c") == ("ct-a", "ct-c")


def test_earlier_looks_at_another_data_set_are_unknown(tmp_path: Path) -> None:
    record = EnsembleRecord(number=1, members=(), thresholds={}, validation=Evaluation(), figures=Evaluation(), test_uses=("ct-a",))
    assert SplitLog(tmp_path).known(record) == record
    known = SplitLog(tmp_path, data="1234abcd").known(record)
    assert known.as_json() == {"judged_on": "1234abcd", "number": 1, "members": [], "thresholds": {}}


def test_looks_at_one_time_are_all_counted(tmp_path: Path) -> None:
    def look(judge: int) -> None:
        for number in range(20):
            SplitLog(tmp_path).record(Modality.CT, f"ct-{judge}-{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, range(4)))
    assert len(read(tmp_path)["ct"]) == 80


def test_shipped_versions_looked_at_their_own_data_alone(training_data: Path, tiny_data: Path) -> None:
    reads = read(SHIPPED)
    assert reads.pop("pose")  # judged on two data sets by `python -m training.pose judge` alone
    assert find_uses_by_what_ships(Predictions(training_data)) == reads
    assert find_uses_by_what_ships(Predictions(tiny_data)) == {}


def test_a_damaged_list_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("{")
    with pytest.raises(TrainingError, match=FILE_NAME):
        SplitLog(tmp_path).record(Modality.CT, "ct-a")


@pytest.mark.parametrize("text", ["{", "[]", '{"ct": "ct-a"}'])
def test_a_list_that_is_damaged_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(TrainingError, match="is damaged"):
        read(tmp_path)
