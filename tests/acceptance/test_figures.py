"""What is served is what was judged: validation scans through the inbox give the figures that stand in `model_quality`.

The test split is left alone here: each look at it is one too many.
"""

import csv
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from imaging.read import read as decode
from tests.acceptance.stack import Stack
from tests.corpus.files import png


@dataclass(frozen=True)
class Read:
    """A stack that has read the validation scans, and what they are: sha256 -> row of the manifest."""

    stack: Stack
    chests: dict[str, dict[str, str]]
    negatives: int


@pytest.fixture(scope="module")
def read(make_stack: Callable[..., Stack], training_data: Path) -> Read:
    stack = make_stack()
    stack.up()
    chests = _validation(training_data)
    negatives = _validation(training_data / "neither")
    for sha256, row in {**chests, **negatives}.items():
        folder = stack.home / "draft" / row.get("modality", "anything")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(row["file"], folder / f"{sha256}.jpg")
    (stack.home / "draft").rename(stack.inbox / "validation")
    stack.await_verdicts(len(chests) + len(negatives), seconds=300)
    return Read(stack, chests, len(negatives))


@pytest.mark.parametrize("modality", ["xray", "ct"])
def test_figures_are_those_of_the_card(read: Read, modality: str) -> None:
    said = read.stack.query(
        "SELECT r.sha256, r.ensemble, p.finding, p.probability FROM scan_results r "
        "JOIN scan_probabilities p ON p.scan_id = r.scan_id WHERE r.modality = :modality",
        modality=modality,
    )
    (ensemble,) = {row["ensemble"] for row in said}
    findings = sorted({row["finding"] for row in said})
    label_by_hash = {
        sha256: row["label"] for sha256, row in read.chests.items() if row["modality"] == modality and row["label"] in findings
    }
    votes: dict[str, dict[str, float]] = {sha256: {} for sha256 in label_by_hash}
    for row in said:
        if row["sha256"] in label_by_hash:
            votes[row["sha256"]][row["finding"]] = row["probability"]
    kept = [sha256 for sha256, vote in votes.items() if vote]  # a few were turned away
    assert len(kept) >= 0.97 * len(label_by_hash)
    truth = [label_by_hash[sha256] for sha256 in kept]
    table = np.array([[votes[sha256][finding] for finding in findings] for sha256 in kept])
    measured = np.mean([roc_auc_score([label == finding for label in truth], table[:, column]) for column, finding in enumerate(findings)])
    (rows,) = read.stack.query(
        "SELECT value, images FROM model_quality WHERE version = :ensemble AND data = 'val' AND metric = 'macro_auroc' AND source IS NULL",
        ensemble=ensemble,
    )
    assert rows["images"] == len(label_by_hash)
    assert measured == pytest.approx(rows["value"], abs=0.01)


def test_chests_are_kept_and_strangers_turned_away(read: Read) -> None:
    rejected = read.stack.query("SELECT sha256, reason FROM scan_results WHERE status = 'rejected'")
    assert {row["reason"] for row in rejected} == {"not_chest"}
    lost = [row for row in rejected if row["sha256"] in read.chests]
    assert len(lost) <= 0.03 * len(read.chests)
    assert len(rejected) - len(lost) >= 0.95 * read.negatives
    read.stack.has_all_accounted()


def test_real_films_that_lie_wrong_are_never_accepted(read: Read) -> None:
    films = [Path(row["file"]) for row in read.chests.values() if row["modality"] == "xray"][::27]
    wrong = {}
    for number, path in enumerate(films):
        pixels = decode(path.read_bytes()).pixels
        for turned, reason in ((1 - pixels, "polarity_in_doubt"), (np.rot90(pixels, 1 + number % 3), "not_upright")):
            data = png(np.ascontiguousarray(np.round(255 * turned)).astype(np.uint8))
            wrong[hashlib.sha256(data).hexdigest()] = ("review", reason)
            (read.stack.inbox / f"{len(wrong)}.png").write_bytes(data)

    def found() -> dict[str, tuple[str, str | None]]:
        rows = read.stack.query("SELECT sha256, status, reason FROM scan_results")
        return {row["sha256"]: (row["status"], row["reason"]) for row in rows if row["sha256"] in wrong}

    read.stack.until(lambda: found().keys() == wrong.keys(), 120, "read")
    assert found() == wrong


def _validation(root: Path) -> dict[str, dict[str, str]]:
    with (root / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    return {hashlib.sha256((root / row["path"]).read_bytes()).hexdigest(): {**row, "file": str(root / row["path"])} for row in rows}
