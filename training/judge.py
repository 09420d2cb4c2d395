"""Makes the figures and cards of members and ensembles, in one way for `lungline train` (on val) and `lungline evaluate` (on test, too)."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from lungline.findings import FINDINGS, Modality
from lungline.progress import say
from models.admission import NEITHER
from models.files import CARD, ENSEMBLES, MEMBER, EnsembleFiles, Member
from training import base, baselines, controls, evaluate, figures, recipes, reliability, uses
from training.card import card
from training.evaluate import Judged, Measured, judged_labels
from training.figures import Votes, alone, with_intervals
from training.lessons import labelled
from training.readings import Readings
from training.readings import alone as by_itself

# What figures are called in the files, by the split that they were measured on.
_CALLED: Final = {"val": "validation", "test": "figures"}

# Thumbnails are made of pictures that keep their framing, as it tells the source.
_THUMBNAILS_OF: Final = "gray-96"


class Judge:
    """Judges versions of one folder of models on one folder of labelled scans."""

    def __init__(self, root: Path, readings: Readings, weights_dir: Path | None, *, writes: bool = True) -> None:
        """Judges nothing yet.

        Args:
            root: the folder of models.
            readings: of the labelled scans.
            weights_dir: LUNGLINE_WEIGHTS_DIR, from which the control with shuffled labels starts where the member did so.
            writes: whether figures and cards are written into `root`.
        """
        self._root = root
        self._writes = writes
        self._weights_dir = weights_dir
        self._readings = readings
        self._rivals: dict[tuple[Modality, str], dict[str, Votes]] = {}

    def member(self, member: Member, splits: Sequence[str], threshold: float | None = None) -> tuple[Measured, str]:
        """Judges a member by itself.

        Args:
            member: what to judge.
            splits: of val and test; a look at test is counted.
            threshold: of an admission network.

        Returns:
            All of `member.json`, and of `card.md`.
        """
        told = dict(member.told)
        for split in splits:
            say(f"{member.version}: judged on {split}")
            if member.modality is None:
                assert threshold is not None
                told["threshold"] = threshold
                files = dataclasses.replace(by_itself(member, 1.0), thresholds={NEITHER: threshold})
                told[_CALLED[split]] = evaluate.admission_figures(
                    self._readings.data(None).split(split), self._readings.admit(files, split)
                )
            else:
                files = by_itself(member, told["temperature"])
                measured = self._measure(files, split)
                for name in ("accepted_share", "accepted_accuracy", "disagreement"):  # an ensemble's: by itself a member accepts all
                    measured.pop(name, None)
                if split == "test":
                    measured["source_in_features"] = self._source_in_features(member)
                    measured["shuffled_labels"] = self._shuffled_labels(member)
                told[_CALLED[split]] = measured
            if split == "test":
                told["test_uses"] = uses.use(self._root, member.modality, member.version, writes=self._writes)
        return told, self._put(member.folder / MEMBER, told, member.folder / CARD, card(told, member.version))

    def ensemble(self, files: EnsembleFiles, stem: str, splits: Sequence[str]) -> tuple[Measured, str]:
        """Judges an ensemble.

        Returns:
            All of `ensembles/<stem>.json`, and of `ensembles/<stem>.md`.
        """
        path = self._root / ENSEMBLES / f"{stem}.json"
        told: Measured = json.loads(path.read_text())
        for split in splits:
            say(f"{files.version}: judged on {split}")
            told[_CALLED[split]] = self._measure(files, split)
            if split == "test":
                told["test_uses"] = uses.use(self._root, files.modality, files.version, writes=self._writes)
        shown = {"name": files.name, "modality": files.modality, "outputs": FINDINGS[files.modality] if files.modality else ()}
        return told, self._put(path, told, path.with_suffix(".md"), card({**told, **shown}, files.version))

    def _put(self, path: Path, told: Measured, card_path: Path, text: str) -> str:
        if self._writes:
            path.write_text(json.dumps(told, indent=2) + "\n")
            card_path.write_text(text)
        return text

    def _measure(self, files: EnsembleFiles, split: str) -> Measured:
        judged = self._readings.judge(files, split)
        measured = evaluate.findings_figures(judged)
        measured["confusion"] = judged.confusion()
        measured["reliability"] = reliability.reliability(judged.votes, judged.wanted)
        if split == "test":
            measured["beside"] = evaluate.beside(judged, self._beside(files, judged))
            measured["black_lungs"] = self._black_lungs(files)
        return measured

    def _black_lungs(self, files: EnsembleFiles) -> Measured:
        assert files.modality is not None
        modality = files.modality
        dark = self._readings.judge_altered(files, "test", lambda pixels: controls.black_lungs(modality, pixels))
        return dict(
            with_intervals(
                dark.groups,
                lambda drawn: {
                    "macro_auroc": figures.macro_auroc(dark.votes[drawn], dark.wanted[drawn]),
                    "balanced_accuracy": figures.balanced_accuracy(dark.votes[drawn], dark.wanted[drawn]),
                },
            )
        )

    def _source_in_features(self, member: Member) -> dict[str, Any]:
        """Within each label: what the features still know of the source."""
        train, test = (self._readings.data(member.modality).split(split) for split in ("train", "test"))
        learnt, asked = (self._readings.features(member, split) for split in ("train", "test"))
        told = {}
        for label in sorted({example.label for example in test}):
            here, there = ([number for number, example in enumerate(examples) if example.label == label] for examples in (train, test))
            origins = [np.array([examples[row].origin for row in rows]) for examples, rows in ((train, here), (test, there))]
            value = controls.source_in_features(learnt[here], origins[0], asked[there], origins[1]) if here else float("nan")
            if np.isfinite(value):
                told[label] = {**alone(value), "images": len(there)}
        return told

    def _shuffled_labels(self, member: Member) -> Measured:
        """The member's recipe, trained for some epochs on shuffled labels, mean of several: at chance on test, or something leaks."""
        recipe = recipes.load(member.told["recipe"])
        weights = "none" if member.told["base"] == "none" else "imagenet"
        load_base, _ = base.loader(recipe.architecture, weights, self._weights_dir)
        data = self._readings.data(recipe.modality)
        train, val, test = (labelled(recipe, data, split, self._readings) for split in ("train", "val", "test"))
        rows = judged_labels(recipe.outputs, data.split("test"))
        found = []
        for seed in range(controls.SHUFFLES):
            votes = controls.shuffled_votes(recipe, train, val, test, load_base, seed)
            found.append(figures.macro_auroc(votes[rows], test.outputs[rows]))
        return {"macro_auroc": {**alone(float(np.mean(found))), "lowest": round(min(found), 4), "highest": round(max(found), 4)}}

    def _beside(self, files: EnsembleFiles, judged: Judged) -> dict[str, Votes]:
        """Baselines on the pictures that were judged."""
        modality = files.modality
        assert modality is not None
        if (modality, judged.data) not in self._rivals:
            findings = FINDINGS[modality]
            examples = self._readings.data(modality).split("train")
            rows = judged_labels(findings, examples)
            train = [examples[row] for row in rows]
            wanted = np.array([findings.index(example.label) for example in train], np.intp)
            asked = judged_labels(findings, self._readings.data(modality).split(judged.data))
            pictures, others = (self._readings.pictures(_THUMBNAILS_OF, modality, split) for split in ("train", judged.data))
            self._rivals[modality, judged.data] = {
                "majority_class": baselines.majority(wanted, len(judged.wanted), len(findings)),
                "source_rule": baselines.source_rule(train, wanted, judged.examples, len(findings)),
                "blind": baselines.blind(train, wanted, judged.examples),
                "thumbnails": baselines.thumbnails(pictures[rows], wanted, others[asked]),
            }
        return self._rivals[modality, judged.data]
