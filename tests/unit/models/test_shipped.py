"""The shipped weights answer as their cards say, on the real validation pictures where these are at hand."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lungline.findings import Modality
from models.admission import NEITHER
from models.files import MEMBER, Member, read_member
from models.registry import SHIPPED, shipped, shipped_admission

if TYPE_CHECKING:
    from training.predictions.predict import Predictions

MEMBERS = [read_member(path.parent) for path in sorted(SHIPPED.glob(f"*/{MEMBER}"))]
STUDENTS = [member for member in MEMBERS if member.record.teacher]


@pytest.fixture(scope="module")
def predictions(training_data: Path) -> "Predictions":
    from training.predictions.predict import Predictions

    return Predictions(training_data)


@pytest.mark.parametrize("modality", Modality)
def test_validation_figures_come_out_again(modality: Modality, predictions: "Predictions") -> None:
    from training.metrics.figures import balanced_accuracy, macro_auroc
    from training.predictions.predict import alone

    ensemble = shipped()[modality]
    for files, described in (
        (ensemble, ensemble.evaluations["val"]),
        *((alone(place.member, place.temperature), place.member.evaluations["val"]) for place in ensemble.places),
    ):
        predicted = predictions.judge(files, "val")
        assert macro_auroc(predicted.votes, predicted.wanted) == pytest.approx(described["macro_auroc"].value, abs=0.005)
        assert balanced_accuracy(predicted.votes, predicted.wanted) == pytest.approx(described["balanced_accuracy"].value, abs=0.015)
        if files is ensemble:
            assert predicted.accepted.mean() == pytest.approx(described["accepted_share"].value, abs=0.02)
            assert predicted.accepted.mean() > 0.6


@pytest.mark.parametrize("student", STUDENTS, ids=lambda student: student.name)
def test_a_students_figures_come_out_again(student: Member, predictions: "Predictions") -> None:
    from training.metrics.figures import macro_auroc
    from training.predictions.predict import alone

    predicted = predictions.judge(alone(student, student.record.temperature), "val")
    assert macro_auroc(predicted.votes, predicted.wanted) == pytest.approx(student.evaluations["val"]["macro_auroc"].value, abs=0.005)


def test_each_modality_has_a_student_that_names_its_teacher() -> None:
    assert [student.modality for student in STUDENTS] == sorted(Modality)
    for student in STUDENTS:
        assert student.modality is not None
        ensemble = shipped()[student.modality]
        assert student.record.teacher == ensemble.version
        assert student.version not in {place.member.version for place in ensemble.places}


@pytest.mark.parametrize("modality", Modality)
def test_members_are_of_two_kinds(modality: Modality) -> None:
    other = {Modality.XRAY: "compact_cnn", Modality.CT: "resnet50_mid"}[modality]
    assert {place.member.architecture for place in shipped()[modality].places} == {"mobilenetv2", other}


def test_admission_keeps_real_scans_and_turns_others_away(predictions: "Predictions") -> None:
    decided = predictions.admit(shipped_admission(), "val")
    labels = [example.label for example in predictions.data(None).split("val")]
    kept = [decision is not None for decision, label in zip(decided, labels, strict=True) if label != NEITHER]
    others = [decision is None for decision, label in zip(decided, labels, strict=True) if label == NEITHER]
    assert np.mean(kept) >= 0.99
    assert np.mean(others) >= 0.97


def test_drawn_chests_are_admitted_and_drawings_are_not() -> None:
    from imaging.phantoms import picture
    from models.preprocess import prepare
    from models.registry import load_admission
    from training.data.synthetic_negatives import drawn

    admission = load_admission(shipped_admission())

    def decided(pictures: list[np.ndarray]) -> list[Modality | None]:
        judgements = admission.judge(np.stack([prepare(admission.preprocess, value) for value in pictures]))
        return [admission.decide(each, None) for each in judgements]

    for modality in Modality:
        chests = [picture(modality.value, seed, side).astype(np.float32) / np.float32(255) for seed in range(8) for side in (128, 512)]
        assert set(decided(chests)) == {modality}
    assert set(decided(drawn(60, np.random.default_rng(2026)))) == {None}


def test_versions_have_cards_and_counted_test_split_looks() -> None:
    import json

    versions_by_split = json.loads((SHIPPED / "test-uses.json").read_text())
    for member in MEMBERS:
        assert member.version in (member.folder / "card.md").read_text()
        assert member.version in versions_by_split[member.modality or "admission"]
    for name, files in shipped().items():
        assert files.version in (SHIPPED / "ensembles" / f"{name}.md").read_text()
        assert files.version in versions_by_split[name]


def test_the_folder_stays_small_enough_for_a_clone() -> None:
    sizes = {path: path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()}
    assert max(sizes.values()) <= 8e6
    assert sum(sizes.values()) <= 25e6


def test_the_weights_have_their_licence_beside_them() -> None:
    text = (SHIPPED / "LICENSE-weights.md").read_text()
    assert "research" in text
    assert all(f"`{member.name}`" in text for member in MEMBERS)
