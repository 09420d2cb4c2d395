"""What a training bears: weights, splits or findings that are missing, members of other data, and being killed at the end."""

import csv
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lungline.errors import TrainingError
from lungline.findings import Modality
from models.files import WEIGHTS, Member, read_ensemble
from training import recipes
from training.evaluation.judge import Evaluator
from training.evaluation.test_split_log import SplitLog, read
from training.members.train import Reporting, Start, train
from training.predictions.predict import Predictions
from training.recipes import Recipe
from training.retraining import run

FIRST, SECOND = "xray-cnn", "xray-compact"
BOOK = recipes.load


def quick(name: str) -> Recipe:
    """A recipe whose network takes a second."""
    small = dataclasses.replace(BOOK("xray-cnn"), architecture="small_cnn", preprocess="gray-96", epochs=1)
    return dataclasses.replace(small, name=name) if name in (FIRST, SECOND) else BOOK(name)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.recipes.load", quick)
    monkeypatch.setattr("training.metrics.figures.RESAMPLES", 20)
    monkeypatch.setattr("training.evaluation.controls.SHUFFLES", 1)


@pytest.fixture(scope="module")
def made(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Member:
    """A member with its ensemble, to be judged."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.recipes.load", quick)
        patch.setattr("training.metrics.figures.RESAMPLES", 20)
        (member,) = train([FIRST], start(tiny_data), tmp_path_factory.mktemp("made"))
    return member


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every line that is said."""
    lines: list[str] = []
    for room in ("members.train", "members.compose", "evaluation.judge"):
        monkeypatch.setattr(f"training.{room}.say", lines.append)
    return lines


def start(data: Path, **other: Any) -> Start:
    return dataclasses.replace(Start(data, 5, "none", None, None), **other)


def reporting(folder: Path) -> Reporting:
    return Reporting(folder / "report", ("val", "test"), SplitLog(folder / "counted"))


def those(data: Path, target: Path, keep: Callable[[dict[str, str]], bool]) -> Path:
    """A data set of some rows of another."""
    shutil.copytree(data, target)
    with (data / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if keep(row)]
    with (target / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return target


def test_missing_base_weights_are_reported_before_training(tiny_data: Path, tmp_path: Path) -> None:
    (tmp_path / "mobilenetv2_notop.weights.h5").write_bytes(b"no weights")
    with pytest.raises(TrainingError, match="mobilenetv2_notop"):
        train([FIRST, "xray-mobilenetv2"], start(tiny_data, weights="imagenet", weights_dir=tmp_path), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_test_rows_it_is_judged_on_val_uncounted(tiny_data: Path, tmp_path: Path, said: list[str]) -> None:
    data = those(tiny_data, tmp_path / "data", lambda row: row["split"] != "test")
    (member,) = train([FIRST], start(data), tmp_path / "out", reporting(tmp_path))
    assert set(member.evaluations) == {"val"}
    assert not read(tmp_path / "counted")
    assert [line for line in said if "not evaluated on test" in line and "xray" in line]


@pytest.mark.parametrize("split", ["train", "val"])
def test_nothing_is_trained_without_rows_of_a_learning_split(split: str, tiny_data: Path, tmp_path: Path) -> None:
    data = those(tiny_data, tmp_path / "data", lambda row: row["split"] != split or row["modality"] == "ct")
    with pytest.raises(TrainingError, match=f"split `{split}` for recipe `{FIRST}`"):
        train(["ct-cnn", FIRST], start(data), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_member_of_other_data_votes_only_in_a_retraining(
    tiny_data: Path, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.metrics.calibration.choose_voters", lambda votes, *_: list(range(len(votes))))
    data = those(tiny_data, tmp_path / "data", lambda row: row["modality"] == "xray")
    (before,) = train([FIRST], start(tiny_data), tmp_path / "out")
    (after,) = train([SECOND], start(data, seed=6), tmp_path / "out")
    assert [place.member.version for place in read_ensemble(tmp_path / "out", "xray").places] == [after.version]
    assert [line for line in said if before.version in line and "does not vote" in line]
    challenger = run.composed(tmp_path / "out", Modality.XRAY, Predictions(data))  # the champion's members that stay vote as they are
    assert {place.member.version for place in challenger.places} == {before.version, after.version}


def test_kill_while_judging_leaves_a_whole_ensemble(
    tiny_data: Path, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    out = tmp_path / "out"
    train([FIRST], start(tiny_data, seed=4), out)
    with monkeypatch.context() as patch:
        patch.setattr("training.members.train.Evaluator.member", die)
        with pytest.raises(Killed):
            train([FIRST], start(tiny_data), out)
    (place,) = read_ensemble(out, "xray").places
    assert place.member.record.seed == 5
    before = (out / FIRST / WEIGHTS).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("training.members.train.fit", die)
        (member,) = train([FIRST], start(tiny_data), out)
        assert [line for line in said if f"{FIRST}: finished already" in line]
        assert "val" in member.evaluations
        assert (out / FIRST / WEIGHTS).read_bytes() == before
        for other in ({"seed": 6}, {"epochs": 2}):
            with pytest.raises(Killed):
                train([FIRST], start(tiny_data, **other), out)
        (out / FIRST / WEIGHTS).write_bytes(before[:-1])
        with pytest.raises(Killed):
            train([FIRST], start(tiny_data), out)
        (out / FIRST / WEIGHTS).write_bytes(before)
        patch.setattr("training.fitting.provenance.code_version", lambda: "other code")
        with pytest.raises(Killed):
            train([FIRST], start(tiny_data), out)


def test_a_look_at_test_is_counted_before_it_is_judged(
    made: Member, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = read_ensemble(made.folder.parent, "xray")
    judge = Evaluator(Predictions(tiny_data), None, SplitLog(tmp_path / "counted"))
    monkeypatch.setattr("training.predictions.predict.Predictions.judge", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        judge.member(made, ["val", "test"])
    with pytest.raises(ZeroDivisionError):
        judge.ensemble(files, made.folder.parent / "ensembles" / "xray.json", ["val", "test"])
    assert read(tmp_path / "counted") == {"xray": [made.version, files.version]}


def test_a_control_without_its_base_weights_is_left_out(made: Member, tiny_data: Path, tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "mobilenetv2_notop.weights.h5").write_bytes(b"no weights")
    based = dataclasses.replace(made, record=made.record.model_copy(update={"recipe": "xray-mobilenetv2", "base": "imagenet"}))
    found = Evaluator(Predictions(tiny_data), tmp_path, SplitLog(tmp_path / "counted")).member(based, ["test"], writes=False)
    assert found.record.figures
    assert found.record.figures.shuffled_labels is None
    assert "macro_auroc" in found.record.figures
    assert [line for line in said if made.version in line and "mobilenetv2_notop" in line]


@pytest.mark.parametrize(("split", "labels"), [("train", {"covid19"}), ("train", {"covid19", "normal"}), ("test", {"covid19"})])
def test_a_split_that_lacks_findings_is_judged_all_the_same(
    split: str, labels: set[str], made: Member, tiny_data: Path, tmp_path: Path
) -> None:
    data = those(tiny_data, tmp_path / "data", lambda row: row["split"] != split or row["label"] in labels)
    found = Evaluator(Predictions(data), None, SplitLog(tmp_path / "counted")).member(made, ["test"], writes=False)
    assert found.record.figures
    assert bool(found.record.figures.beside) == (split == "test")
    assert found.record.figures.images == (4 if split == "test" else 12)


def test_what_val_lacks_is_named(tiny_data: Path, tmp_path: Path) -> None:
    data = those(tiny_data, tmp_path / "data", lambda row: row["split"] != "val" or row["label"] == "covid19")
    with pytest.raises(TrainingError, match=r"labelled pneumonia, normal.*lungline data build"):
        train([FIRST], start(data), tmp_path / "out")
    assert Predictions(data).has(Modality.XRAY, "val")
