"""Students learn an ensemble's votes beside the labels, stand apart from it, and are told what they lose."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lungline.errors import TrainingError
from lungline.findings import FINDINGS, Modality
from models.ensemble import may_join
from models.registry import shipped
from training import recipes
from training.data.examples import Labelled
from training.fitting import distillation
from training.fitting.loop import fit
from training.members.train import Start, train
from training.predictions.predict import Predictions

XRAY = recipes.load("xray-student")


def test_votes_are_the_ensembles_softened(tiny_data: Path) -> None:
    predictions = Predictions(tiny_data)
    files = shipped()[Modality.XRAY]
    plain = distillation.votes(dataclasses.replace(XRAY, softened=1.0), files, predictions)
    expected = predictions.judge(files, "train")
    np.testing.assert_allclose(plain, expected.votes, atol=1e-6)  # by the code that serves
    soft = distillation.votes(XRAY, files, predictions)
    np.testing.assert_allclose(soft.sum(axis=1), 1, atol=1e-6)
    assert (soft.argmax(axis=1) == plain.argmax(axis=1)).all()
    assert (soft.max(axis=1) < plain.max(axis=1)).all()
    turned = distillation.votes(dataclasses.replace(XRAY, outputs=XRAY.outputs[::-1]), files, predictions)
    np.testing.assert_array_equal(turned, soft[:, ::-1])


def test_an_ensemble_of_other_findings_cannot_teach(tiny_data: Path) -> None:
    with pytest.raises(TrainingError, match="covid19, non_covid"):
        distillation.votes(
            dataclasses.replace(recipes.load("ct-student"), outputs=("normal", "covid19", "cap")),
            shipped()[Modality.CT],
            Predictions(tiny_data),
        )


def test_a_student_follows_votes_against_labels(tmp_path: Path) -> None:
    """Where labels are noise and the votes tell bright pictures from dark ones, it learns to."""
    from training.fitting.checkpoint import Checkpoint

    rng = np.random.default_rng(0)
    bright = np.arange(96) % 2
    pictures = np.clip(rng.normal(0.3 + 0.4 * bright[:, None, None, None], 0.02, (96, 96, 96, 1)), 0, 1).astype(np.float32)
    noise = rng.permutation(np.arange(96) % 2)
    changes = {"architecture": "small_cnn", "preprocess": "gray-96", "votes": 1.0, "even": True, "learning_rate": 1e-2, "average": 0.0}
    recipe = dataclasses.replace(recipes.load("ct-student"), **changes)  # type: ignore[arg-type]
    findings, first = np.array(FINDINGS[Modality.CT]), np.full(96, "a")
    votes = np.eye(2, dtype=np.float32)[bright]
    train_set = Labelled(pictures, findings[noise], noise, first, np.arange(96).astype(str), votes=votes)
    val = Labelled(pictures, findings[bright], bright, first, np.arange(96).astype(str))
    fitted = fit(recipe, train_set, val, seed=0, epochs=6, load_base=None, checkpoint=Checkpoint(tmp_path / "c.npz", ""))
    said = np.asarray(fitted.network.predict(pictures, verbose=0)).argmax(axis=1)
    assert (said == bright).mean() > 0.9


def test_a_student_tells_its_teacher_and_joins_no_ensemble(tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = dataclasses.replace(XRAY, architecture="small_cnn", preprocess="gray-96")
    monkeypatch.setattr(recipes, "load", lambda name: small)
    (made,) = train(["xray-student"], Start(tiny_data, 0, "none", None, 1), tmp_path)
    assert made.record.teacher == shipped()[Modality.XRAY].version
    assert not may_join(made)
    assert not (tmp_path / "ensembles").exists()
    assert made.record.validation
    lost = made.record.validation.lost_to_teacher
    assert lost
    predictions = Predictions(tiny_data)
    ensemble = predictions.judge(shipped()[Modality.XRAY], "val")
    from training.metrics.figures import macro_auroc

    own = made.record.validation["macro_auroc"].value
    assert lost["macro_auroc"].value == pytest.approx(macro_auroc(ensemble.votes, ensemble.wanted) - own, abs=2e-4)
    assert (lost["macro_auroc"].low or 0) <= lost["macro_auroc"].value <= (lost["macro_auroc"].high or 0)
    assert f"`{made.record.teacher}` is better by" in (made.folder / "card.md").read_text()


def test_the_students_fit_into_five_megabytes() -> None:
    from models.architectures import build

    for name in ("xray-student", "ct-student"):
        recipe = recipes.load(name)
        assert build(recipe.architecture, len(recipe.outputs)).count_params() * 4 < 4e6
