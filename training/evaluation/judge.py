"""Makes the figures and cards of members and ensembles, in one way for `lungline train` and `lungline evaluate`."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from lungline.durable import replace_text
from lungline.errors import TrainingError
from lungline.findings import FINDINGS, Modality
from lungline.progress import say
from models.admission import NEITHER
from models.backend import keras
from models.files import CARD, MEMBER, EnsembleFiles, Member
from models.records import EnsembleRecord, Evaluated, Evaluation, Figure, MemberRecord, Metrics, Record
from training import recipes
from training.data.examples import Labelled
from training.evaluation import baselines, controls
from training.evaluation.card import DescribedEnsemble, render_card
from training.evaluation.leave_one_out import leave_each_source_out
from training.evaluation.test_split_log import SplitLog
from training.fitting import base_weights, distillation
from training.fitting.training_sets import labelled
from training.metrics import figures, reliability
from training.metrics.figures import Votes, alone, with_intervals
from training.predictions import measure
from training.predictions.measure import SplitPredictions, counts, finding_rows
from training.predictions.predict import Predictions
from training.predictions.predict import alone as by_itself
from training.recipes import Recipe

LoadBase = Callable[[keras.Model], None]

_Record = TypeVar("_Record", bound=Evaluated)

# What evaluations are called in the files, by the split that they were made on.
_CALLED: Final = {"val": "validation", "test": "figures"}

# An ensemble's: by itself a member accepts every scan.
_OF_A_VOTE: Final = ("accepted_share", "accepted_accuracy", "disagreement")

# Thumbnails are made of pictures that keep their framing, as it tells the source.
_THUMBNAILS_OF: Final = "gray-96"


@dataclass(frozen=True)
class EvaluatedVersion:
    """What evaluating one version found."""

    version: str
    record: MemberRecord | DescribedEnsemble
    card: str
    files: EnsembleFiles  # of a member: as it stands by itself
    predicted: Mapping[str, SplitPredictions]  # by split; none of admission


class Evaluator:
    """Judges versions on one folder of labelled scans."""

    def __init__(
        self, predictions: Predictions, weights_dir: Path | None, test_split_log: SplitLog, *, leave_one_out: bool = False
    ) -> None:
        """Judges nothing yet.

        Args:
            predictions: of the labelled scans.
            weights_dir: LUNGLINE_WEIGHTS_DIR, from which the control with shuffled labels starts where the member did so.
            test_split_log: where looks at test are counted.
            leave_one_out: whether members' recipes are trained anew without each source in turn: hours.
        """
        self._test_split_log = test_split_log
        self._leave_one_out = leave_one_out
        self._weights_dir = weights_dir
        self._predictions = predictions
        self._rivals: dict[tuple[Modality | None, str, tuple[str, ...]], dict[str, Votes]] = {}

    def member(self, member: Member, splits: Sequence[str], threshold: float | None = None, *, writes: bool = True) -> EvaluatedVersion:
        """Judges a member by itself.

        Args:
            member: what to judge.
            splits: of val and test, the one that counts last; a look at test is counted.
            threshold: of an admission network.
            writes: whether `member.json` and `card.md` are written.
        """
        record = self._test_split_log.known(member.record)
        files = by_itself(member, record.temperature)
        predicted: dict[str, SplitPredictions] = {}
        if member.modality is None:
            assert threshold is not None
            record = record.model_copy(update={"threshold": threshold})
            files = dataclasses.replace(files, thresholds={NEITHER: threshold})
        if "test" in splits:  # counted first: killed later, it has looked
            record = record.model_copy(update={"test_uses": self._test_split_log.record(member.modality, member.version)})
        for split in splits:
            say(f"{member.version}: evaluated on {split}")
            if member.modality is None:
                evaluation = measure.admission_figures(self._predictions.data(None).split(split), self._predictions.admit(files, split))
            else:
                predicted[split] = self._predictions.judge(files, split)
                evaluation = self._evaluate_member(member, files, predicted[split], is_last=split == splits[-1])
            record = record.model_copy(update={_CALLED[split]: evaluation})
        text = render_card(record, member.version)
        if writes:
            _write(member.folder / MEMBER, record, member.folder / CARD, text)
        return EvaluatedVersion(member.version, _with_origin(record, splits), text, files, predicted)

    def ensemble(self, files: EnsembleFiles, path: Path, splits: Sequence[str], *, writes: bool = True) -> EvaluatedVersion:
        """Judges an ensemble.

        Args:
            files: what to judge.
            path: its JSON; its card lies beside it.
            splits: of val and test, the one that counts last; a look at test is counted.
            writes: whether both are written.
        """
        record = self._test_split_log.known(EnsembleRecord.model_validate_json(path.read_bytes()))
        predicted: dict[str, SplitPredictions] = {}
        if "test" in splits:
            record = record.model_copy(update={"test_uses": self._test_split_log.record(files.modality, files.version)})
        for split in splits:
            say(f"{files.version}: evaluated on {split}")
            predicted[split] = self._predictions.judge(files, split)
            parts = self._parts(files, predicted[split], with_controls=split == splits[-1])
            evaluation = Evaluation.of(measure.findings_figures(predicted[split]), **parts)
            record = record.model_copy(update={_CALLED[split]: evaluation})
        described = _described(record, files)
        text = render_card(described, files.version)
        if writes:
            _write(path, record, path.with_suffix(".md"), text)
        return EvaluatedVersion(files.version, _with_origin(described, splits), text, files, predicted)

    def _evaluate_member(self, member: Member, files: EnsembleFiles, predicted: SplitPredictions, *, is_last: bool) -> Evaluation:
        """One split; most controls are made on the last."""
        record, figures = member.record, measure.findings_figures(predicted)
        parts = self._parts(files, predicted, with_controls=is_last)
        if is_last:
            parts["source_in_features"] = self._source_in_features(member, predicted.data)
            if self._leave_one_out and not record.teacher:  # a student's teacher knows every source
                parts["left_out"] = self._without_sources(member, predicted)
        if record.teacher and (lost := distillation.lost(member, self._test_split_log.folder, predicted.data, self._predictions)):
            parts["lost_to_teacher"] = lost
        if predicted.data == "test" and not record.imported and (shuffled := self._shuffled_labels(member)):
            parts["shuffled_labels"] = shuffled
        return Evaluation.of({name: figure for name, figure in figures.items() if name not in _OF_A_VOTE}, **parts)

    def _parts(self, files: EnsembleFiles, predicted: SplitPredictions, *, with_controls: bool) -> dict[str, object]:
        """All that an evaluation holds beside figures over all of the split, for members and ensembles alike."""
        parts: dict[str, object] = {
            **counts(predicted.groups),
            "within_source": measure.within_sources(predicted),
            "confusion": predicted.confusion(),
            "reliability": reliability.reliability(predicted.votes, predicted.wanted),
        }
        if with_controls:
            parts["black_lungs"] = self._black_lungs(files, predicted.data)
            if self._predictions.has(files.modality, "train") and (rivals := self._beside(files, predicted)):
                parts["beside"] = measure.beside(predicted, rivals)
        return parts

    def _black_lungs(self, files: EnsembleFiles, split: str) -> Metrics:
        assert files.modality is not None
        say(f"{files.version}: negative control with the lungs blacked out")
        modality = files.modality
        dark = self._predictions.judge_altered(files, split, lambda pixels: controls.black_out_lungs(modality, pixels))
        return Metrics.of(
            with_intervals(
                dark.groups,
                lambda drawn: {
                    "macro_auroc": figures.macro_auroc(dark.votes[drawn], dark.wanted[drawn]),
                    "balanced_accuracy": figures.balanced_accuracy(dark.votes[drawn], dark.wanted[drawn], dark.wanted),
                },
            )
        )

    def _source_in_features(self, member: Member, split: str) -> dict[str, Figure]:
        """Within each label: what the features still know of the source."""
        if not self._predictions.has(member.modality, "train"):
            return {}
        say(f"{member.version}: negative control: do its features predict the source")
        train, test = (self._predictions.data(member.modality).split(part) for part in ("train", split))
        learnt, asked = (self._predictions.features(member, part) for part in ("train", split))
        scores = {}
        for label in sorted({example.label for example in test}):
            here, there = ([number for number, example in enumerate(examples) if example.label == label] for examples in (train, test))
            origins = [np.array([examples[row].origin for row in rows]) for examples, rows in ((train, here), (test, there))]
            value = controls.measure_source_in_features(learnt[here], origins[0], asked[there], origins[1]) if here else float("nan")
            if np.isfinite(value):
                scores[label] = alone(value).model_copy(update={"images": len(there)})
        return scores

    def _shuffled_labels(self, member: Member) -> Metrics | None:
        """The member's recipe, trained for some epochs on shuffled labels, mean of several: at chance on test, or something leaks."""
        trained = self._training_of(member, "test")
        if trained is None:
            return None
        recipe, (train, val, test), load_base = trained
        rows = np.isin(test.labels, recipe.outputs)
        found = []
        for seed in range(controls.SHUFFLES):
            say(f"{member.version}: shuffled-label control, {seed + 1} of {controls.SHUFFLES}")
            votes = controls.shuffled_votes(recipe, train, val, test, load_base, seed)
            found.append(figures.macro_auroc(votes[rows], test.outputs[rows]))
        if not np.isfinite(found).all():
            return None
        bounds = {"lowest": round(min(found), 4), "highest": round(max(found), 4)}
        return Metrics.of({"macro_auroc": alone(float(np.mean(found))).model_copy(update=bounds)})

    def _without_sources(self, member: Member, predicted: SplitPredictions) -> Metrics:
        trained = self._training_of(member, predicted.data)
        if trained is None:
            return Metrics(within_source={})
        recipe, splits, load_base = trained
        return leave_each_source_out(recipe, splits, predicted, load_base, member.record.seed or 0)

    def _training_of(self, member: Member, split: str) -> tuple[Recipe, tuple[Labelled, Labelled, Labelled], LoadBase | None] | None:
        """What trains a member's recipe anew: the recipe with as many epochs as it had; train, val and `split`; and its base. None for what
        no recipe of ours made on our splits, where the data have none, and where the base weights are missing."""
        record = member.record
        if record.as_published or record.imported or record.recipe is None or record.epochs is None:
            return None
        recipe = recipes.load(record.recipe)
        if not all(self._predictions.has(recipe.modality, part) for part in ("train", "val")):
            return None
        recipe = dataclasses.replace(recipe, epochs=min(recipe.epochs, record.epochs))
        try:
            load_base, _ = base_weights.loader(recipe.architecture, "none" if record.base == "none" else "imagenet", self._weights_dir)
        except TrainingError as error:
            say(f"{member.version}: without the controls that need training: {error}")
            return None
        data = self._predictions.data(recipe.modality)
        train, val, asked = (labelled(recipe, data, part, self._predictions) for part in ("train", "val", split))
        return recipe, (train, val, asked), load_base

    def _beside(self, files: EnsembleFiles, predicted: SplitPredictions) -> dict[str, Votes]:
        """Baselines on the pictures that were judged; none where the training split lacks a finding."""
        modality, findings = files.modality, predicted.findings
        key = modality, predicted.data, findings
        if key not in self._rivals:
            examples = self._predictions.data(modality).split("train")
            rows = finding_rows(findings, examples)
            train = [examples[row] for row in rows]
            wanted = np.array([findings.index(example.label) for example in train], np.intp)
            if len(np.unique(wanted)) < len(findings):
                return {}
            asked = finding_rows(findings, self._predictions.data(modality).split(predicted.data))
            pictures, others = (self._predictions.pictures(_THUMBNAILS_OF, modality, split) for split in ("train", predicted.data))
            self._rivals[key] = {
                "majority_class": baselines.majority(wanted, len(predicted.wanted), len(findings)),
                "source_rule": baselines.source_rule(train, wanted, predicted.examples, len(findings)),
                "blind": baselines.blind(train, wanted, predicted.examples),
                "thumbnails": baselines.thumbnails(pictures[rows], wanted, others[asked]),
            }
        return self._rivals[key]


def _described(record: EnsembleRecord, files: EnsembleFiles) -> DescribedEnsemble:
    facts: dict[str, object] = {
        "name": files.name,
        "modality": files.modality,
        "outputs": FINDINGS[files.modality] if files.modality else (),
    }
    if limits := [place.member.record.limit for place in files.places if place.member.record.limit]:
        facts["limit"] = max(limits)  # a member that is a trial makes its ensemble one
    return DescribedEnsemble.model_validate(record.model_dump(exclude_unset=True) | facts)


def _with_origin(record: _Record, splits: Sequence[str]) -> _Record:
    """For the report: whether what it says of test is of this run."""
    return record.model_copy(update={"from_card": True}) if record.figures and "test" not in splits else record


def _write(path: Path, record: Record, card_path: Path, text: str) -> None:
    replace_text(card_path, text)
    replace_text(path, record.text())
