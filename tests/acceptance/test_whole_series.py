"""A patient's whole CT, which no network was trained on, copied in file by file in any order while workers are killed: one answer."""

import random
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.acceptance.stack import Stack
from tests.exports import Export

pytestmark = pytest.mark.timeout(580)


def original(path: Path, export: Export) -> bytes:
    """The slice as a study of the export has it."""
    dataset = dcmread(path)
    dataset.PatientID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = export.patient, export.uid, export.series
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def test_a_whole_ct_of_a_patient_has_one_answer(make_stack: Callable[..., Stack], training_data: Path) -> None:
    paths = sorted((training_data / "series" / "covid_ct_md_P001").glob("*.dcm"))
    if not paths:
        pytest.skip("LUNGLINE_TRAINING_DATA has no whole series")
    stack = make_stack(SERIES_QUIET_SECONDS="5", SERIES_FINAL_SECONDS="25")
    stack.up()
    export = Export("P-WHOLE-6")
    slices = [original(path, export) for path in paths]
    late = [slices.pop(40), slices.pop(70)]
    early = [*slices, *export.others()]
    random.Random(6).shuffle(early)

    for number, data in enumerate(early):
        (stack.inbox / f"{number:03}.dcm").write_bytes(data)
        if number == len(early) // 2:
            stack.kill("inference-0")
        time.sleep(0.02)

    def reads_again() -> bool:
        now = stack.status()
        return bool(now["reading"]) and "inference-0" in now["processes"]

    stack.until(reads_again, 120, "a worker that reads again")
    stack.kill("inference-0")

    key = stack.run("key", export.patient).stdout.split()[-1]
    series = "SELECT * FROM series_results WHERE patient_key = :key"
    stack.until(lambda: [row["slices"] for row in stack.query(series, key=key)] == [len(early)], 300, "an assessment of all that came")
    for number, data in enumerate(late):
        (stack.inbox / f"late-{number}.dcm").write_bytes(data)
    wanted = [("final", len(early) + 2)]
    stack.until(lambda: [(row["stage"], row["slices"]) for row in stack.query(series, key=key)] == wanted, 180, "final")

    (found,) = stack.query(series, key=key)
    assert (found["gaps"], found["status"], found["modality"]) == (0, "review", "ct")
    (study,) = stack.query("SELECT * FROM study_results WHERE patient_key = :key", key=key)
    assert (study["stage"], study["series"], study["scans"]) == ("final", 1, len(early) + 2)
    past = stack.query("SELECT stage, gaps, superseded_at FROM series_history WHERE patient_key = :key ORDER BY finished_at", key=key)
    assert past[0]["stage"] == "provisional"
    assert [row["superseded_at"] is None for row in past].count(True) == 1
    stack.has_all_accounted()
