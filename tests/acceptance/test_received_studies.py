"""A PACS sends a study by DICOM: slices in any order, two late, a scout and a reformat among them, while a worker is killed."""

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack
from tests.exports import Export
from tests.servers import free_port

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk's storescu is not installed"),
]

QUIET, FINAL = 3.0, 15.0


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack]) -> Stack:
    stack = make_stack(SERIES_QUIET_SECONDS=str(QUIET), SERIES_FINAL_SECONDS=str(FINAL), DICOM_PORT=str(free_port()))
    stack.up()
    return stack


def send(stack: Stack, folder: Path, files: list[bytes], name: str) -> None:
    """One after the other, in this order."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{name}-{number:03}.dcm" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    command = ["storescu", "-aec", "LUNGLINE", "127.0.0.1", stack.settings["DICOM_PORT"], *map(str, paths)]
    sent = subprocess.run(command, capture_output=True, timeout=120)
    assert sent.returncode == 0


def test_a_study_that_is_sent_ends_as_one_answer(stack: Stack, tmp_path: Path) -> None:
    export = Export("P-SENT-5")
    slices = [export.slice(number) for number in range(14)]
    early, late = [*slices[:6], *slices[8:], *export.others()], slices[6:8]
    random.Random(5).shuffle(early)

    send(stack, tmp_path / "early", early[:8], "first")
    stack.kill("inference-0")
    send(stack, tmp_path / "early", early[8:], "second")
    key = stack.run("key", export.patient).stdout.split()[-1]
    series = "SELECT * FROM series_results WHERE patient_key = :key"
    stack.until(lambda: [row["slices"] for row in stack.query(series, key=key)] == [14], 180, "an assessment of all that came")
    (first,) = stack.query(series, key=key)
    assert (first["slices_used"], first["gaps"], first["reason"]) == (12, 2, "slices_missing")

    stack.kill("receive")
    stack.until(lambda: "receive" in stack.status()["processes"], 60, "the receiver's return")
    stack.until(lambda: not stack.run("status", "receive").returncode, 60, "the receiver's readiness")
    send(stack, tmp_path / "late", late, "late")

    def is_complete() -> bool:
        return [(row["stage"], row["slices"]) for row in stack.query(series, key=key)] == [("final", 16)]

    stack.until(is_complete, 180, "final with the late slices")
    (found,) = stack.query(series, key=key)
    assert (found["slices_used"], found["gaps"], found["reason"]) == (14, 0, None)
    (study,) = stack.query("SELECT * FROM study_results WHERE patient_key = :key", key=key)
    assert (study["stage"], study["series"], study["scans"]) == ("final", 1, 16)
    history = "SELECT stage, superseded_at FROM series_history WHERE patient_key = :key ORDER BY finished_at"
    past = stack.query(history, key=key)
    assert past[0]["stage"] == "provisional"
    assert [row["superseded_at"] is None for row in past].count(True) == 1
    stack.has_all_accounted()
