"""What a student learns from: an ensemble's votes on the training pictures, beside their labels; and what it loses against the ensemble."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from lungline.errors import ModelError, TrainingError
from models.calibration import probabilities
from models.ensemble import fold
from models.files import EnsembleFiles, Member
from models.records import Metrics
from models.registry import find
from training.metrics import figures
from training.metrics.figures import with_intervals
from training.predictions.predict import Predictions, alone, answers
from training.recipes import Recipe


def votes(recipe: Recipe, teacher: EnsembleFiles, predictions: Predictions) -> npt.NDArray[np.float32]:
    """An ensemble's calibrated votes on `train`, softened by a temperature of their own.

    Reference: Hinton et al., "Distilling the Knowledge in a Neural Network" (2015), https://arxiv.org/abs/1503.02531. The votes are those
    on the pictures as they are, read once; what the student is shown is changed anew each time.

    Returns:
        float32 (n, outputs), each row summing to 1, in the order of `train` and of the recipe's outputs.

    Raises:
        TrainingError: the ensemble has other findings than the recipe has outputs.
    """
    assert teacher.modality is not None
    findings = answers(teacher)
    if sorted(findings) != sorted(recipe.outputs):
        raise TrainingError(
            f"A student answers with its ensemble's findings: let `outputs` in recipe `{recipe.name}` be {', '.join(findings)}."
        )
    whole = sum(place.weight for place in teacher.places)
    vote = np.zeros((len(predictions.data(recipe.modality).split("train")), len(findings)))
    for place in teacher.places:
        member = place.member
        folded = fold(teacher.modality, member.version, member.outputs)
        vote += place.weight / whole * probabilities(predictions.logits(member, "train"), place.temperature) @ folded
    soft = vote[:, [findings.index(output) for output in recipe.outputs]] ** (1 / recipe.softened)
    return np.asarray(soft / soft.sum(axis=1, keepdims=True), np.float32)


def lost(member: Member, models: Path, split: str, predictions: Predictions) -> Metrics | None:
    """How much better than its student an ensemble is, on the same scans: macro AUROC, balanced accuracy, Brier score.

    Args:
        member: a student.
        models: the store's folder of models, where its teacher may lie, unless that ships.
        split: val or test.
        predictions: of the labelled scans.

    Returns:
        Each figure as the ensemble's less the student's (of Brier scores the other way round, so that above zero the
        ensemble is better), with an interval over groups, both drawn together; and how often both give the same finding. None where
        the teacher is not at hand.
    """
    try:
        teacher = find(member.record.teacher or "", models)
    except ModelError:
        return None
    student, ensemble = (predictions.judge(files, split) for files in (alone(member, member.record.temperature), teacher))

    balanced = figures.balanced_accuracy

    def differences(drawn: figures.Rows) -> dict[str, float]:
        own, other, wanted = student.votes[drawn], ensemble.votes[drawn], student.wanted[drawn]
        return {
            "macro_auroc": figures.macro_auroc(other, wanted) - figures.macro_auroc(own, wanted),
            "balanced_accuracy": balanced(other, wanted, student.wanted) - balanced(own, wanted, student.wanted),
            "brier": figures.brier(own, wanted) - figures.brier(other, wanted),
            "same_finding": float((own.argmax(axis=1) == other.argmax(axis=1)).mean()),
        }

    return Metrics.of(with_intervals(student.groups, differences))
