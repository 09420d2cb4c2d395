"""A PACS exports a study as a ZIP archive: what it holds is read like any other file, whatever is killed meanwhile."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.drops import backlog, good
from tests.acceptance.stack import Stack
from tests.corpus.archives import zipped
from tests.exports import Export, study_of

pytestmark = pytest.mark.timeout(400)

QUIET, FINAL = 2.0, 10.0
# What stands beside the images on a disc by IHE Portable Data for Imaging.
BESIDE = {
    "DICOMDIR": b"index",
    "README.TXT": b"This disc holds images.\n" * 20,
    "INDEX.HTM": b"<!DOCTYPE html><html><body>Images</body></html>",
    "IHE_PDI/STYLE.CSS": b"body { color: black }\n" * 20,
}


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack]) -> Stack:
    stack = make_stack(SERIES_QUIET_SECONDS=str(QUIET), SERIES_FINAL_SECONDS=str(FINAL))
    stack.up()
    return stack


def test_a_study_in_two_archives_has_one_answer(stack: Stack, tmp_path: Path) -> None:
    before = stack.status()
    export = Export("P-ZIP-5")
    slices = [export.slice(number) for number in range(12)]
    archives = {
        "first": {**BESIDE, **{f"DICOM/A/IM{number:03}": slices[number] for number in range(7)}},
        "second.zip": {f"DICOM/B/IM{number:03}": slices[number] for number in range(5, 12)},  # two of them are in both
    }
    for name, members in archives.items():
        (tmp_path / name).write_bytes(zipped(members))

    result = stack.run("drop", *(tmp_path / name for name in archives), "--wait", "120", "--json", timeout=200)

    dropped = {row["name"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert {row["outcome"] for row in dropped.values()} == {"unpacked"}
    assert dropped["first"]["detail"].startswith("10 files, 7 scans done, 3 quarantined")
    assert "7 files, 7 scans done" in dropped["second.zip"]["detail"]
    assert result.returncode == 1  # as if the text files had been dropped by themselves
    reasons = stack.reasons()
    assert [reasons[name] for name in ("INDEX.HTM", "README.TXT", "STYLE.CSS")] == ["not_an_image"] * 3
    after = stack.status()
    came = [after[name] - before[name] for name in ("files", "accepted", "duplicates", "unpacked", "refused")]
    assert came == [19, 15, 2, 2, 0]
    study = study_of(stack, export.patient)

    def is_final() -> bool:
        rows = stack.query("SELECT stage, slices, gaps FROM series_results WHERE study_key = :study", study=study)
        return rows == [{"stage": "final", "slices": 12, "gaps": 0}]

    stack.until(is_final, 120, "final with all slices")
    stack.has_all_accounted()


@pytest.mark.parametrize("process", ["inference-0", "watch"])
def test_killed_while_unpacking_each_file_counts_once(stack: Stack, process: str) -> None:
    before = stack.status()
    seed = 61 if process == "watch" else 62
    members = {drop.path: drop.data for drop in (*backlog(300, seed=seed), *good(4, seed=seed))}
    for number in range(3):
        (stack.inbox / f"{process}-{number}.zip").write_bytes(zipped({**members, "number": b"%d/%d" % (seed, number)}))
    for _ in range(3):
        time.sleep(random.Random(seed).uniform(0.5, 3))
        stack.kill(process)
        stack.until(lambda: process in stack.status()["processes"], 90, "started again")

    counts = stack.await_verdicts(before["files"] + 3 * (1 + len(members) + 1), 300)

    assert counts["unpacked"] - before["unpacked"] == 3
    assert counts["accepted"] - before["accepted"] == len(members) + 3
    assert counts["duplicates"] - before["duplicates"] == 2 * len(members)
    assert counts["refused"] == before["refused"]
    assert list((stack.store / "unpacking").iterdir()) == []
    stack.has_all_accounted()
