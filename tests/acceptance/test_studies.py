"""A PACS exports studies: slices in any order, some late, scouts and reformats among them; each series and study has one answer."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack
from tests.exports import Export, study_of

pytestmark = pytest.mark.timeout(400)

QUIET, FINAL = 3.0, 12.0


def put(inbox: Path, files: list[bytes], name: str) -> None:
    for number, data in enumerate(files):
        (inbox / f"{name}-{number}.dcm").write_bytes(data)


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack]) -> Stack:
    stack = make_stack(SERIES_QUIET_SECONDS=str(QUIET), SERIES_FINAL_SECONDS=str(FINAL))
    stack.up()
    return stack


def stages(stack: Stack, study: str) -> list[str]:
    return [row["stage"] for row in stack.query("SELECT stage FROM study_results WHERE study_key = :study", study=study)]


def test_late_slices_and_a_killed_worker_leave_one_answer(stack: Stack) -> None:
    export = Export("P-STUDY-1")
    files = [export.slice(number) for number in range(14)]
    early, late = [*files[:6], *files[8:], *export.others()], files[6:8]
    random.Random(1).shuffle(early)
    put(stack.inbox, early, "early")
    study = study_of(stack, export.patient)
    (first,) = stack.query("SELECT * FROM series_results WHERE study_key = :study", study=study)
    assert (first["slices_used"], first["gaps"], first["reason"], first["modality"]) == (12, 2, "slices_missing", "ct")

    stack.kill("inference-0")
    put(stack.inbox, late, "late")

    def is_complete() -> bool:
        (row,) = stack.query("SELECT * FROM series_results WHERE study_key = :study", study=study)
        return bool(row["stage"] == "final" and row["slices"] == 16)

    stack.until(is_complete, 180, "final with the late slices")
    (found,) = stack.query("SELECT * FROM series_results WHERE study_key = :study", study=study)
    assert (found["slices_used"], found["gaps"], found["reason"]) == (14, 0, None)
    history = stack.query("SELECT stage, superseded_at FROM series_history WHERE study_key = :study ORDER BY finished_at", study=study)
    assert [row["superseded_at"] is None for row in history] == [False] * (len(history) - 1) + [True]
    assert history[0]["stage"] == "provisional"
    assert stages(stack, study) == ["final"]
    stack.has_all_accounted()


def test_a_number_in_the_header_makes_a_series_final_at_once(stack: Stack) -> None:
    export = Export("P-STUDY-2")
    began = time.monotonic()
    put(stack.inbox, [export.slice(number, ImagesInAcquisition=5) for number in range(5)], "counted")
    study = study_of(stack, export.patient)

    stack.until(lambda: stages(stack, study) == ["final"], 60, "final by count")
    (found,) = stack.query("SELECT * FROM series_history WHERE study_key = :study AND superseded_at IS NULL", study=study)
    assert (found["slices"], found["slices_expected"]) == (5, 5)
    assert time.monotonic() - began < 150  # it did not wait for another reason


def test_a_person_may_say_that_a_study_is_complete(stack: Stack) -> None:
    export = Export("P-STUDY-3")
    put(stack.inbox, [export.slice(number) for number in range(3)], "closed")
    study = study_of(stack, export.patient)

    assert stack.run("study", "finish", study).returncode == 0

    stack.until(lambda: stages(stack, study) == ["final"], 60, "final by a person's word")
    assert stack.run("study", "finish", "0123456789abcdef").returncode == 1


def test_studies_are_listed_and_shown(stack: Stack) -> None:
    export = Export("P-STUDY-4")
    put(stack.inbox, [export.slice(0)], "shown")
    study = study_of(stack, export.patient)

    listed = [json.loads(line) for line in stack.run("studies", "--json").stdout.splitlines()]
    shown = json.loads(stack.run("show", study, "--json").stdout)

    assert study in [row["study_key"] for row in listed]
    assert (shown["study_key"], shown["series"][0]["slices"]) == (study, 1)
    assert "not a medical device" in stack.run("studies").stderr.lower()
