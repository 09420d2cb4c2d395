"""Makes the figures and cards of members and ensembles, in one way for `lungline train` and `lungline evaluate`."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from lungline.durable import replace_text
from lungline.errors import TrainingError
from lungline.findings import FINDINGS, Modality
from lungline.progress import say
from models.admission import NEITHER
from models.backend import keras
from models.files import CARD, MEMBER, EnsembleFiles, Member
from training import recipes
from training.data.examples import Labelled
from training.evaluation import baselines, controls
from training.evaluation.card import card
from training.evaluation.leave_one_out import left_out
from training.evaluation.test_split_log import Uses
from training.fitting import base_weights, distillation
from training.fitting.training_sets import labelled
from training.metrics import figures, reliability
from training.metrics.figures import Votes, alone, with_intervals
from training.predictions import measure
from training.predictions.measure import Judged, Measured, judged_labels
from training.predictions.predict import Readings
from training.predictions.predict import alone as by_itself
from training.recipes import Recipe

LoadBase = Callable[[keras.Model], None]

# What figures are called in the files, by the split that they were measured on.
CALLED: Final = {"val": "validation", "test": "figures"}

# Thumbnails are made of pictures that keep their framing, as it tells the source.
_THUMBNAILS_OF: Final = "gray-96"


@dataclass(frozen=True)
class Found:
    """What judging one version found."""

    version: str
    description: Measured  # all of `member.json`; or of an ensemble's JSON with its modality, and its findings as `outputs`
    card: str
    files: EnsembleFiles  # of a member: as it stands by itself
    judged: Mapping[str, Judged]  # by split; none of admission


class Judge:
    """Judges versions on one folder of labelled scans."""

    def __init__(self, readings: Readings, weights_dir: Path | None, uses: Uses, *, leave_one_out: bool = False) -> None:
        """Judges nothing yet.

        Args:
            readings: of the labelled scans.
            weights_dir: LUNGLINE_WEIGHTS_DIR, from which the control with shuffled labels starts where the member did so.
            uses: where looks at test are counted.
            leave_one_out: whether members' recipes are trained anew without each source in turn: hours.
        """
        self._uses = uses
        self._leave_one_out = leave_one_out
        self._weights_dir = weights_dir
        self._readings = readings
        self._rivals: dict[tuple[Modality | None, str, tuple[str, ...]], dict[str, Votes]] = {}

    def member(self, member: Member, splits: Sequence[str], threshold: float | None = None, *, writes: bool = True) -> Found:
        """Judges a member by itself.

        Args:
            member: what to judge.
            splits: of val and test, the one that counts last; a look at test is counted.
            threshold: of an admission network.
            writes: whether `member.json` and `card.md` are written.
        """
        description = self._uses.known(member.description)
        files = by_itself(member, description["temperature"])
        judged: dict[str, Judged] = {}
        if member.modality is None:
            assert threshold is not None
            description["threshold"] = threshold
            files = dataclasses.replace(files, thresholds={NEITHER: threshold})
        if "test" in splits:  # counted first: killed later, it has looked
            description["test_uses"] = self._uses.use(member.modality, member.version)
        for split in splits:
            say(f"{member.version}: judged on {split}")
            if member.modality is None:
                admitted = self._readings.admit(files, split)
                description[CALLED[split]] = measure.admission_figures(self._readings.data(None).split(split), admitted)
                continue
            judged[split] = self._readings.judge(files, split)
            measured = self._measure(files, judged[split], with_controls=split == splits[-1])
            for name in ("accepted_share", "accepted_accuracy", "disagreement"):  # an ensemble's: by itself a member accepts all
                measured.pop(name, None)
            if split == splits[-1]:
                measured["source_in_features"] = self._source_in_features(member, split)
                if self._leave_one_out and "teacher" not in description:  # a student's teacher knows every source
                    measured["left_out"] = {"within_source": self._left_out(member, judged[split])}
            if "teacher" in description:
                measured |= distillation.lost(member, self._uses.folder, split, self._readings)
            if split == "test" and "imported" not in member.description:
                measured |= self._shuffled_labels(member)
            description[CALLED[split]] = measured
        text = card(description, member.version)
        if writes:
            _write(member.folder / MEMBER, description, member.folder / CARD, text)
        return Found(member.version, _with_origin(description, splits), text, files, judged)

    def ensemble(self, files: EnsembleFiles, path: Path, splits: Sequence[str], *, writes: bool = True) -> Found:
        """Judges an ensemble.

        Args:
            files: what to judge.
            path: its JSON; its card lies beside it.
            splits: of val and test, the one that counts last; a look at test is counted.
            writes: whether both are written.
        """
        description: Measured = self._uses.known(json.loads(path.read_text()))
        judged: dict[str, Judged] = {}
        if "test" in splits:
            description["test_uses"] = self._uses.use(files.modality, files.version)
        for split in splits:
            say(f"{files.version}: judged on {split}")
            judged[split] = self._readings.judge(files, split)
            description[CALLED[split]] = self._measure(files, judged[split], with_controls=split == splits[-1])
        shown = {
            **description,
            "name": files.name,
            "modality": files.modality,
            "outputs": list(FINDINGS[files.modality]) if files.modality else [],
        }
        if limits := [place.member.description["limit"] for place in files.places if "limit" in place.member.description]:
            shown["limit"] = max(limits)  # a member that is a trial makes its ensemble one
        text = card(shown, files.version)
        if writes:
            _write(path, description, path.with_suffix(".md"), text)
        return Found(files.version, _with_origin(shown, splits), text, files, judged)

    def _measure(self, files: EnsembleFiles, judged: Judged, *, with_controls: bool) -> Measured:
        measured = measure.findings_figures(judged)
        measured["confusion"] = judged.confusion()
        measured["reliability"] = reliability.reliability(judged.votes, judged.wanted)
        if with_controls:
            measured["black_lungs"] = self._black_lungs(files, judged.data)
            if self._readings.has(files.modality, "train") and (rivals := self._beside(files, judged)):
                measured["beside"] = measure.beside(judged, rivals)
        return measured

    def _black_lungs(self, files: EnsembleFiles, split: str) -> Measured:
        assert files.modality is not None
        say(f"{files.version}: control, lungs blacked out")
        modality = files.modality
        dark = self._readings.judge_altered(files, split, lambda pixels: controls.black_lungs(modality, pixels))
        return dict(
            with_intervals(
                dark.groups,
                lambda drawn: {
                    "macro_auroc": figures.macro_auroc(dark.votes[drawn], dark.wanted[drawn]),
                    "balanced_accuracy": figures.balanced_accuracy(dark.votes[drawn], dark.wanted[drawn], dark.wanted),
                },
            )
        )

    def _source_in_features(self, member: Member, split: str) -> dict[str, Any]:
        """Within each label: what the features still know of the source."""
        if not self._readings.has(member.modality, "train"):
            return {}
        say(f"{member.version}: control, whether its features tell the source")
        train, test = (self._readings.data(member.modality).split(one) for one in ("train", split))
        learnt, asked = (self._readings.features(member, one) for one in ("train", split))
        scores = {}
        for label in sorted({example.label for example in test}):
            here, there = ([number for number, example in enumerate(examples) if example.label == label] for examples in (train, test))
            origins = [np.array([examples[row].origin for row in rows]) for examples, rows in ((train, here), (test, there))]
            value = controls.source_in_features(learnt[here], origins[0], asked[there], origins[1]) if here else float("nan")
            if np.isfinite(value):
                scores[label] = {**alone(value), "images": len(there)}
        return scores

    def _shuffled_labels(self, member: Member) -> Measured:
        """The member's recipe, trained for some epochs on shuffled labels, mean of several: at chance on test, or something leaks."""
        trained = self._again(member, "test")
        if trained is None:
            return {}
        recipe, (train, val, test), load_base = trained
        rows = np.isin(test.labels, recipe.outputs)
        found = []
        for seed in range(controls.SHUFFLES):
            say(f"{member.version}: control, trained on shuffled labels, {seed + 1} of {controls.SHUFFLES}")
            votes = controls.shuffled_votes(recipe, train, val, test, load_base, seed)
            found.append(figures.macro_auroc(votes[rows], test.outputs[rows]))
        if not np.isfinite(found).all():
            return {}
        shuffled = {**alone(float(np.mean(found))), "lowest": round(min(found), 4), "highest": round(max(found), 4)}
        return {"shuffled_labels": {"macro_auroc": shuffled}}

    def _left_out(self, member: Member, judged: Judged) -> Measured:
        trained = self._again(member, judged.data)
        return left_out(trained[0], trained[1], judged, trained[2], member.description["seed"]) if trained else {}

    def _again(self, member: Member, split: str) -> tuple[Recipe, tuple[Labelled, Labelled, Labelled], LoadBase | None] | None:
        """What trains a member's recipe anew: the recipe with as many epochs as it had; train, val and `split`; and its base. None for what
        no recipe of ours made on our splits, where the data have none, and where the base weights are missing."""
        if "as_published" in member.description or "imported" in member.description:
            return None
        recipe = recipes.load(member.description["recipe"])
        if not all(self._readings.has(recipe.modality, one) for one in ("train", "val")):
            return None
        recipe = dataclasses.replace(recipe, epochs=min(recipe.epochs, member.description["epochs"]))
        try:
            load_base, _ = base_weights.loader(
                recipe.architecture, "none" if member.description["base"] == "none" else "imagenet", self._weights_dir
            )
        except TrainingError as error:
            say(f"{member.version}: without the controls that train it again: {error}")
            return None
        data = self._readings.data(recipe.modality)
        train, val, asked = (labelled(recipe, data, one, self._readings) for one in ("train", "val", split))
        return recipe, (train, val, asked), load_base

    def _beside(self, files: EnsembleFiles, judged: Judged) -> dict[str, Votes]:
        """Baselines on the pictures that were judged; none where the training split lacks a finding."""
        modality, findings = files.modality, judged.findings
        key = modality, judged.data, findings
        if key not in self._rivals:
            examples = self._readings.data(modality).split("train")
            rows = judged_labels(findings, examples)
            train = [examples[row] for row in rows]
            wanted = np.array([findings.index(example.label) for example in train], np.intp)
            if len(np.unique(wanted)) < len(findings):
                return {}
            asked = judged_labels(findings, self._readings.data(modality).split(judged.data))
            pictures, others = (self._readings.pictures(_THUMBNAILS_OF, modality, split) for split in ("train", judged.data))
            self._rivals[key] = {
                "majority_class": baselines.majority(wanted, len(judged.wanted), len(findings)),
                "source_rule": baselines.source_rule(train, wanted, judged.examples, len(findings)),
                "blind": baselines.blind(train, wanted, judged.examples),
                "thumbnails": baselines.thumbnails(pictures[rows], wanted, others[asked]),
            }
        return self._rivals[key]


def _with_origin(description: Measured, splits: Sequence[str]) -> Measured:
    """For the report: whether what it tells of test is of this run."""
    return description | {"from_card": True} if "figures" in description and "test" not in splits else description


def _write(path: Path, description: Measured, card_path: Path, text: str) -> None:
    replace_text(card_path, text)
    replace_text(path, json.dumps(description, indent=2) + "\n")
