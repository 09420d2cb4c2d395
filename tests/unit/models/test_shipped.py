"""The shipped weights answer as their cards say, on the real validation pictures where these are at hand."""

from pathlib import Path

import numpy as np
import pytest

from lungline.findings import FINDINGS, Modality
from models.admission import NEITHER
from models.registry import load_admission, load_ensemble, shipped, shipped_admission


@pytest.mark.parametrize("modality", Modality)
def test_validation_figures_come_out_again(modality: Modality, training_data: Path) -> None:
    from training import datasets
    from training.figures import balanced_accuracy, macro_auroc

    findings = FINDINGS[modality]
    ensemble = load_ensemble(shipped()[modality])
    examples = [example for example in datasets.load(training_data, modality).split("val") if example.label in findings]
    pictures = datasets.read_pictures(examples, ensemble.preprocesses[0])
    judged = ensemble.judge({ensemble.preprocesses[0]: pictures})
    votes = np.array([[each.probabilities[finding] for finding in findings] for each in judged])
    wanted = np.array([findings.index(example.label) for example in examples])
    told = shipped()[modality].places[0].member.told["validation"]
    assert macro_auroc(votes, wanted) == pytest.approx(told["macro_auroc"]["value"], abs=0.005)
    assert balanced_accuracy(votes, wanted) == pytest.approx(told["balanced_accuracy"]["value"], abs=0.015)
    accepted = np.mean([each.status == "accepted" for each in judged])
    assert accepted == pytest.approx(0.7, abs=0.03)


def test_admission_keeps_real_scans_and_turns_others_away(training_data: Path) -> None:
    from training import datasets

    admission = load_admission(shipped_admission())
    examples = datasets.load(training_data, None).split("val")
    judged = admission.judge(datasets.read_pictures(examples, admission.preprocess))
    decided = [admission.decide(each, None) for each in judged]
    real = [decision is not None for decision, example in zip(decided, examples, strict=True) if example.label != NEITHER]
    others = [decision is None for decision, example in zip(decided, examples, strict=True) if example.label == NEITHER]
    assert np.mean(real) >= 0.99
    assert np.mean(others) >= 0.95


def test_the_weights_have_their_licence_beside_them() -> None:
    text = (Path(shipped_admission().places[0].member.folder).parent / "LICENSE-weights.md").read_text()
    assert "research" in text
