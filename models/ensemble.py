"""An ensemble: members that read the same scans, one calibrated vote, and how far they disagree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lungline.errors import ModelError
from lungline.findings import FINDINGS, Modality, Status, finding_of
from models.calibration import probabilities
from models.files import Member
from models.runtimes import Runtime

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """What one member says of one scan, calibrated, on the findings of the ensemble."""

    member: str
    version: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Judgement:
    """What the ensemble says of one scan."""

    finding: str
    probability: float
    status: Status  # accepted or review
    disagreement: float  # 0 to 1: mean total variation distance of the members from the vote
    entropy: float  # of the vote, in nats: 0 to log(number of findings)
    probabilities: dict[str, float]  # calibrated; they sum to 1
    predictions: tuple[Prediction, ...]


@dataclass(frozen=True)
class Review:
    """When a person should look: chosen on validation, stored with the ensemble."""

    margin: float  # the two most probable findings are closer than this
    disagreement: float  # the members differ by more than this


@dataclass(frozen=True)
class Seat:
    """A member in its ensemble, ready to run."""

    member: str
    version: str
    preprocess: str
    outputs: tuple[str, ...]  # what its logits stand for
    temperature: float
    weight: float  # in the vote; only the ratio to the others matters
    runtime: Runtime


class Ensemble:
    """Reads batches of preprocessed scans of one modality."""

    def __init__(self, version: str, modality: Modality, seats: Sequence[Seat], review: Review) -> None:
        """Seats the members.

        Raises:
            ModelError: there is none, or one's outputs do not cover the findings of the modality.
        """
        self.version = version
        self.modality = modality
        self.preprocesses = tuple(dict.fromkeys(seat.preprocess for seat in seats))
        self._findings = FINDINGS[modality]
        self._seats = tuple(seats)
        self._folds = tuple(fold(modality, seat.version, seat.outputs) for seat in seats)
        weights = np.array([seat.weight for seat in seats], np.float64)
        if not weights.sum() > 0:
            raise ModelError(f"Ensemble `{version}` has no member with a weight above zero; see `lungline models show`.")
        self._weights = weights / weights.sum()  # a member alone weighs exactly 1, and its vote differs from itself by exactly 0
        self._review = review

    def judge(self, inputs: Mapping[str, npt.NDArray[np.float32]]) -> list[Judgement]:
        """Judges a batch.

        Args:
            inputs: for each of `preprocesses`, float32 (n, height, width, channels), in the same order of scans.

        Returns:
            n judgements, in that order.

        Raises:
            ModelError: a member gave a number that is none (NaN or infinite).
        """
        votes = np.stack([self._ask(seat, fold, inputs) for seat, fold in zip(self._seats, self._folds, strict=True)])
        return [self._judge(votes[:, scan]) for scan in range(votes.shape[1])]

    def warm(self, batch_max: int) -> None:
        """Prepares every member for batches up to `batch_max`."""
        for seat in self._seats:
            seat.runtime.warm(batch_max)

    def _ask(self, seat: Seat, fold: Probabilities, inputs: Mapping[str, npt.NDArray[np.float32]]) -> Probabilities:
        logits = seat.runtime.run(inputs[seat.preprocess])
        if not np.isfinite(logits).all():
            raise ModelError(f"Member `{seat.version}` gave an answer that is not a number; run `lungline doctor`.")
        return probabilities(logits, seat.temperature) @ fold

    def _judge(self, votes: Probabilities) -> Judgement:
        """One scan: (members, findings) -> its judgement."""
        vote = self._weights @ votes
        second, first = np.sort(vote)[-2:]
        disagreement = float(np.abs(votes - vote).sum(axis=1).mean() / 2)
        unsure = first - second < self._review.margin or disagreement > self._review.disagreement
        best = int(vote.argmax())
        return Judgement(
            finding=self._findings[best],
            probability=float(vote[best]),
            status=Status.REVIEW if unsure else Status.ACCEPTED,
            disagreement=disagreement,
            entropy=float(-(vote * np.log(np.maximum(vote, np.finfo(np.float64).tiny))).sum()),
            probabilities=self._named(vote),
            predictions=tuple(
                Prediction(seat.member, seat.version, self._named(each)) for seat, each in zip(self._seats, votes, strict=True)
            ),
        )

    def _named(self, vote: Probabilities) -> dict[str, float]:
        return dict(zip(self._findings, vote.tolist(), strict=True))


def fold(modality: Modality, version: str, outputs: Sequence[str]) -> Probabilities:
    """A matrix (outputs, findings) of 0 and 1 that adds up what a member's outputs mean to its ensemble.

    Raises:
        ModelError: the outputs of `version`, a member, do not cover the findings of the modality.
    """
    findings = FINDINGS[modality]
    matrix = np.zeros((len(outputs), len(findings)))
    try:
        for row, output in enumerate(outputs):
            matrix[row, findings.index(finding_of(modality, output))] = 1.0
    except KeyError:
        matrix[:] = 0.0
    if not matrix.any(axis=0).all():
        raise ModelError(f"Member `{version}` may not join an ensemble for {modality.value}: its outputs are not its findings.")
    return matrix


def may_join(member: Member) -> bool:
    """Whether a member's outputs cover the findings of its modality, and it may join an ensemble.

    One that a published protocol trained saw validation, and may not; nor may a student, who would only echo its teacher.
    """
    if member.modality is None or member.record.as_published or member.record.teacher:
        return False
    try:
        fold(member.modality, member.version, member.outputs)
    except ModelError:
        return False
    return True
