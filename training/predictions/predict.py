"""What members answer to the pictures of the splits: each picture is read once for a preprocessing, each member asked once."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lungline.errors import TrainingError
from lungline.findings import FINDINGS, Modality, Status, finding_of
from lungline.progress import steps
from models.backend import keras
from models.calibration import probabilities
from models.files import EnsembleFiles, Member, Place
from models.preprocess import Pixels
from models.registry import assemble, assemble_admission
from models.runtimes.keras import KerasRuntime, load_network
from training.data import datasets
from training.data.datasets import DataSet, Example
from training.metrics.figures import Votes
from training.predictions.measure import SplitPredictions, finding_rows

Array = npt.NDArray[np.float32]

UNSURE_OF_NOTHING = {"margin": 0.0, "disagreement": 1.0}  # review thresholds by which every scan is accepted


class Predictions:
    """Pictures and answers of one data folder, kept until a run ends."""

    def __init__(self, root: Path, *, limit: int | None = None, kept: Path | None = None) -> None:
        """Reads nothing yet.

        Args:
            root: LUNGLINE_TRAINING_DATA.
            limit: of each split at most so many pictures, for a trial.
            kept: a folder for what frozen bases make of pictures, LUNGLINE_HOME's `cache/features`; None: memory alone.
        """
        self._root = root
        self._limit = limit
        self.kept = kept
        self._sets: dict[Modality | None, DataSet] = {}
        self._pictures: dict[tuple[Modality | None, str, str], Pixels] = {}
        self._networks: dict[str, keras.Model] = {}
        self._logits: dict[tuple[str, str], Array] = {}

    def data(self, modality: Modality | None) -> DataSet:
        """The labelled pictures of a modality, or of admission."""
        if modality not in self._sets:
            data = datasets.load(self._root, modality)
            self._sets[modality] = data if self._limit is None else datasets.limit_examples(data, self._limit)
        return self._sets[modality]

    def has(self, modality: Modality | None, split: str) -> bool:
        """Whether a split holds a picture that figures are about; of admission, whether there are strangers at all."""
        try:
            examples = [example for example in self.data(modality).examples if example.split == split]
        except TrainingError:
            if modality is None:
                return False
            raise
        return bool(examples if modality is None else finding_rows(FINDINGS[modality], examples))

    def pictures(self, preprocess: str, modality: Modality | None, split: str) -> Pixels:
        """All pictures of a split, preprocessed: float32 (n, side, side, 1)."""
        key = modality, preprocess, split
        if key not in self._pictures:
            self._pictures[key] = self.read(self.data(modality).split(split), preprocess, split)
        return self._pictures[key]

    def read(
        self, examples: Sequence[Example], preprocess: str, what: str, alter: Callable[[Pixels], Pixels] = lambda pixels: pixels
    ) -> Pixels:
        """Pictures that are not kept."""
        with steps(f"reading {what} by {preprocess}", len(examples)) as step:
            return datasets.read_pictures(examples, preprocess, step, alter)

    def network(self, member: Member) -> keras.Model:
        """A member's network, by the reference runtime's code."""
        if member.version not in self._networks:
            self._networks[member.version] = load_network(member)
        return self._networks[member.version]

    def logits(self, member: Member, split: str) -> Array:
        """(n, outputs) for all pictures of a split."""
        key = member.version, split
        if key not in self._logits:
            self._logits[key] = self.answer(member, self.pictures(member.preprocess, member.modality, split))
        return self._logits[key]

    def answer(self, member: Member, pictures: Pixels) -> Array:
        """(n, outputs) for any pictures."""
        return KerasRuntime(self.network(member)).run(pictures)

    def features(self, member: Member, split: str) -> Array:
        """(n, features): what a member's last layer is given."""
        network = self.network(member)
        return KerasRuntime(keras.Model(network.input, network.layers[-1].input)).run(
            self.pictures(member.preprocess, member.modality, split)
        )

    def judge(self, files: EnsembleFiles, split: str) -> SplitPredictions:
        """What an ensemble says of the pictures that its figures are about."""
        examples = self.data(files.modality).split(split)
        rows = finding_rows(answers(files), examples)
        logits = [self.logits(place.member, split)[rows] for place in files.places]
        return _predicted(files, split, [examples[row] for row in rows], logits)

    def judge_altered(self, files: EnsembleFiles, split: str, alter: Callable[[Pixels], Pixels]) -> SplitPredictions:
        """The same of pictures that were changed before they were preprocessed."""
        examples = self.data(files.modality).split(split)
        chosen = [examples[row] for row in finding_rows(answers(files), examples)]
        read = {name: self.read(chosen, name, f"changed {split}", alter) for name in {place.member.preprocess for place in files.places}}
        logits = [self.answer(place.member, read[place.member.preprocess]) for place in files.places]
        return _predicted(files, split, chosen, logits)

    def admit(self, files: EnsembleFiles, split: str) -> list[Modality | None]:
        """What the admission network makes of each picture of a split."""
        (place,) = files.places
        logits = self.logits(place.member, split)
        admission = assemble_admission(files, Recorded(logits))
        return [admission.decide(answer, None) for answer in admission.judge(_blank(len(logits)))]


class Recorded:
    """A runtime that gives back answers which a network gave before, so that votes are counted by the code that serves."""

    name = "recorded"

    def __init__(self, logits: Array) -> None:
        self._logits = logits

    def run(self, batch: Array) -> Array:
        """The recorded answers to all pictures."""
        assert len(batch) == len(self._logits)
        return self._logits

    def warm(self, batch_max: int) -> None:
        """Nothing is to be prepared."""


def alone(member: Member, temperature: float) -> EnsembleFiles:
    """A member as an ensemble of itself, which accepts every scan."""
    return EnsembleFiles(member.name, 0, member.modality, (Place(member, 1.0, temperature),), UNSURE_OF_NOTHING)


def answers(files: EnsembleFiles) -> tuple[str, ...]:
    """What an ensemble's figures are about, covid19 first: its modality's findings. Of a member that does not tell all of them, as one that
    keeps a published head, its own outputs."""
    assert files.modality is not None
    findings = FINDINGS[files.modality]
    if len(files.places) > 1 or {finding_of(files.modality, output) for output in files.places[0].member.outputs} == {*findings}:
        return findings
    outputs = files.places[0].member.outputs
    return tuple(sorted(outputs, key=lambda output: (output != findings[0], outputs.index(output))))


def _predicted(files: EnsembleFiles, split: str, examples: Sequence[Example], logits: Sequence[Array]) -> SplitPredictions:
    findings = answers(files)
    cold = dataclasses.replace(files, places=tuple(dataclasses.replace(place, temperature=1.0) for place in files.places))
    votes, accepted, disagreement = _votes(files, findings, logits)
    return SplitPredictions(
        data=split,
        examples=examples,
        findings=findings,
        wanted=np.array([findings.index(example.label) for example in examples], np.intp),
        votes=votes,
        uncalibrated=_votes(cold, findings, logits)[0],
        accepted=accepted,
        disagreement=disagreement,
    )


def _votes(
    files: EnsembleFiles, findings: Sequence[str], logits: Sequence[Array]
) -> tuple[Votes, npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Votes (n, findings), whether each is accepted, and how far the members differ; by the code that serves, but for heads that cannot."""
    count = len(logits[0])
    assert files.modality is not None
    if findings != FINDINGS[files.modality]:
        (place,) = files.places
        own = probabilities(logits[0], place.temperature)[:, [place.member.outputs.index(finding) for finding in findings]]
        return own, np.ones(count, np.bool_), np.zeros(count)
    judgements = assemble(files, [Recorded(each) for each in logits]).judge(_inputs(files, count))
    return (
        np.array([[each.probabilities[finding] for finding in findings] for each in judgements]),
        np.array([each.status is Status.ACCEPTED for each in judgements]),
        np.array([each.disagreement for each in judgements]),
    )


def _inputs(files: EnsembleFiles, count: int) -> dict[str, Array]:
    return {place.member.preprocess: _blank(count) for place in files.places}


def _blank(count: int) -> Array:
    return np.zeros((count, 1, 1, 1), np.float32)
