"""From members to an ensemble: temperatures, weights and thresholds, all chosen on validation; and the files that hold them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lungline.findings import FINDINGS, Modality
from lungline.progress import say
from models.admission import NEITHER
from models.calibration import probabilities
from models.ensemble import fold, may_join
from models.files import ADMISSION, MEMBER, EnsembleFiles, Member, read_ensemble, read_member, write_ensemble
from training.metrics import calibration
from training.predictions.measure import finding_rows
from training.predictions.predict import Predictions

# The make-up of what ships: counts up when an ensemble gets other kinds of members. The hash in its version tells the rest.
_NUMBER = 3


def compose(root: Path, modality: Modality, predictions: Predictions, *, of_other_data: bool = False) -> EnsembleFiles:
    """Writes `root/ensembles/<modality>.json`: of the members of that modality in `root` that may join one, those that vote.

    `of_other_data`: whether those that learnt from another manifest may vote, too. This manifest's val may hold what they were trained on.
    """
    members = [member for member in list_members(root) if member.modality is modality and may_join(member)]
    data = predictions.data(modality)
    for member in members:
        if not of_other_data and member.record.data_sha256 != data.sha256:
            say(f"{member.version}: does not vote: it learned from another manifest, and may know the scans on which votes are chosen")
    members = [member for member in members if of_other_data or member.record.data_sha256 == data.sha256]
    examples = data.split("val")
    rows = finding_rows(FINDINGS[modality], examples)
    wanted = np.array([FINDINGS[modality].index(examples[row].label) for row in rows])
    groups = np.array([examples[row].group for row in rows])
    temperatures, votes = [], []
    for member in members:
        temperatures.append(member.record.temperature)
        logits = predictions.logits(member, "val")[rows]
        votes.append(probabilities(logits, temperatures[-1]) @ fold(modality, member.version, member.outputs))
    stacked = np.stack(votes)
    chosen = calibration.choose_voters(stacked, wanted, groups)
    weights = calibration.fit_vote_weights(stacked[chosen], wanted, groups)
    thresholds = calibration.choose_review_thresholds(stacked[chosen], weights)
    places = [(members[number], weight, temperatures[number]) for number, weight in zip(chosen, weights, strict=True)]
    return _write(root, modality.value, places, thresholds)


def compose_admission(root: Path, member: Member, predictions: Predictions) -> EnsembleFiles:
    """Writes `root/ensembles/admission.json`: one network, and the threshold by which it turns away."""
    neither = probabilities(predictions.logits(member, "val"), 1.0)[:, member.outputs.index(NEITHER)]
    negatives = np.array([example.label == NEITHER for example in predictions.data(None).split("val")])
    threshold = calibration.choose_admission_threshold(neither[~negatives], neither[negatives])
    return _write(root, ADMISSION, [(member, 1.0, 1.0)], {NEITHER: threshold})


def list_members(root: Path) -> list[Member]:
    """The members in a folder of models, by name."""
    return [read_member(path.parent) for path in sorted(root.glob(f"[!.]*/{MEMBER}"))]  # a draft's name begins with a dot


def _write(root: Path, name: str, places: Sequence[tuple[Member, float, float]], thresholds: dict[str, float]) -> EnsembleFiles:
    write_ensemble(root, name, number=_NUMBER, places=places, thresholds=thresholds)
    return read_ensemble(root, name)
