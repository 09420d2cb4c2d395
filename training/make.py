"""From a recipe to a member's folder: read, fit on train and val, calibrate on val, judge on test once, write."""

import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lungline.errors import TrainingError
from lungline.progress import say, steps
from models.admission import NEITHER
from models.architectures import build
from models.backend import keras
from models.calibration import probabilities
from models.engines.keras import KerasEngine
from models.files import ADMISSION, CARD, MEMBER, WEIGHTS, Member, read_member, write_ensemble
from models.weights import load, save_half
from training import base, baselines, calibrate, datasets, evaluate
from training.card import card
from training.datasets import DataSet, Example
from training.figures import Votes
from training.fit import Fitted, Labelled, fit
from training.recipes import Recipe

# The make-up of what ships: counts up when an ensemble gets other kinds of members. The hash in its version tells the rest.
_NUMBER = 1


@dataclass(frozen=True)
class Start:
    """What a training starts from, beside its recipe."""

    data: Path  # LUNGLINE_TRAINING_DATA
    seed: int
    weights: str  # imagenet or none
    weights_dir: Path | None  # LUNGLINE_WEIGHTS_DIR
    epochs: int | None  # None: as the recipe says


@dataclass(frozen=True)
class Made:
    """A member on disk, and what its ensemble needs to know of it."""

    member: Member
    temperature: float
    votes: Votes  # calibrated, on the judged part of validation


def make(recipe: Recipe, start: Start, out: Path) -> Made:
    """Trains a member and writes `out/<recipe>/` with weights, member.json and card.md; an older one there is replaced.

    Raises:
        TrainingError: data or base weights are missing, or training failed.
    """
    load_base, base_told = base.loader(recipe.architecture, start.weights, start.weights_dir)
    data = datasets.load(start.data, recipe.modality)
    train, val = (_labelled(recipe, data, split) for split in ("train", "val"))
    epochs = start.epochs or recipe.epochs
    fitted = fit(recipe, train, val, seed=start.seed, epochs=epochs, load_base=load_base)
    draft = out / f".{recipe.name}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    engine = _save(recipe, fitted, draft / WEIGHTS)
    told: dict[str, Any] = {
        "name": recipe.name,
        "recipe": recipe.name,
        "modality": recipe.modality,
        "architecture": recipe.architecture,
        "preprocess": recipe.preprocess,
        "outputs": recipe.outputs,
        "sha256": hashlib.sha256((draft / WEIGHTS).read_bytes()).hexdigest(),
        "parameters": fitted.network.count_params(),
        "seed": start.seed,
        "epochs": fitted.epochs,
        "best_epoch": fitted.best_epoch,
        "base": base_told,
        "data_sha256": data.sha256,
        "versions": _versions(),
    }
    judge = _judge_findings if recipe.modality else _judge_admission
    temperature, votes, figures = judge(recipe, engine, data, train, val)
    told |= figures
    (draft / MEMBER).write_text(json.dumps(told, indent=2) + "\n")
    (draft / CARD).write_text(card(told))
    folder = out / recipe.name
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    say(f"{recipe.name}: written.")
    return Made(read_member(folder), temperature, votes)


def compose(made: Sequence[Made], out: Path) -> None:
    """Writes `out/ensembles/`: for each modality an ensemble of the members just made, in equal parts, and the admission network."""
    for modality in {each.member.modality for each in made}:
        members = [each for each in made if each.member.modality == modality]
        votes = np.stack([each.votes for each in members])
        vote = votes.mean(axis=0)
        if modality is None:
            name, members = ADMISSION, members[-1:]
            neither = members[0].member.outputs.index(NEITHER)
            thresholds = {NEITHER: calibrate.admission_threshold(members[0].votes[:, neither])}
        else:
            name = modality.value
            thresholds = {"margin": calibrate.review_margin(vote), "disagreement": calibrate.review_disagreement(votes)}
        write_ensemble(out, name, number=_NUMBER, places=[(each.member, 1.0, each.temperature) for each in members], thresholds=thresholds)


def _judge_findings(
    recipe: Recipe, engine: KerasEngine, data: DataSet, train: Labelled, val: Labelled
) -> tuple[float, Votes, dict[str, Any]]:
    """Temperature, validation votes, and the figures for member.json."""
    val_examples = data.split("val")
    rows = evaluate.judged(recipe, val_examples)
    logits, wanted = engine.run(val.pictures)[rows], val.outputs[rows]
    temperature = calibrate.temperature(logits, wanted)
    val_votes = probabilities(logits, temperature)
    margin = calibrate.review_margin(val_votes)
    test, test_examples = _labelled(recipe, data, "test"), data.split("test")
    chosen = evaluate.judged(recipe, test_examples)
    judged, answers = [test_examples[row] for row in chosen], test.outputs[chosen]
    learnt = evaluate.judged(recipe, data.split("train"))
    train_examples, train_outputs = [data.split("train")[row] for row in learnt], train.outputs[learnt]
    rivals = {
        "majority class": baselines.majority(train_outputs, len(judged), len(recipe.outputs)),
        "source rule": baselines.source_rule(train_examples, train_outputs, judged, len(recipe.outputs)),
        "blind": baselines.blind(train_examples, train_outputs, judged),
        "thumbnails": baselines.thumbnails(train.pictures[learnt], train_outputs, test.pictures[chosen]),
    }
    figures = {
        "temperature": temperature,
        "validation": evaluate.findings(recipe, [val_examples[row] for row in rows], val_votes, wanted, margin),
        "figures": evaluate.findings(recipe, judged, probabilities(engine.run(test.pictures[chosen]), temperature), answers, margin),
        "baselines": evaluate.beside(rivals, answers),
    }
    return temperature, val_votes, figures


def _judge_admission(
    recipe: Recipe, engine: KerasEngine, data: DataSet, train: Labelled, val: Labelled
) -> tuple[float, Votes, dict[str, Any]]:
    """Temperature (none), votes on real validation scans, and the figures for member.json."""
    votes = probabilities(engine.run(val.pictures), 1.0)
    real = votes[val.labels != NEITHER]
    threshold = calibrate.admission_threshold(real[:, recipe.outputs.index(NEITHER)])
    test_votes = probabilities(engine.run(_labelled(recipe, data, "test").pictures), 1.0)
    figures = {
        "threshold": threshold,
        "validation": evaluate.admission(recipe, data.split("val"), votes, threshold),
        "figures": evaluate.admission(recipe, data.split("test"), test_votes, threshold),
    }
    return 1.0, real, figures


def _labelled(recipe: Recipe, data: DataSet, split: str) -> Labelled:
    examples = data.split(split)
    return Labelled(_pictures(recipe, examples, split), np.array([example.label for example in examples]), _outputs(recipe, examples))


def _pictures(recipe: Recipe, examples: Sequence[Example], split: str) -> npt.NDArray[np.float32]:
    with steps(f"{recipe.name}: reading {split}", len(examples)) as step:
        return datasets.read_pictures(examples, recipe.preprocess, step)


def _outputs(recipe: Recipe, examples: Sequence[Example]) -> npt.NDArray[np.intp]:
    try:
        return np.array([recipe.outputs.index(recipe.output_of(example.label)) for example in examples], np.intp)
    except (KeyError, ValueError):
        raise TrainingError(f"The manifest in LUNGLINE_TRAINING_DATA has a label that recipe `{recipe.name}` does not know.") from None


def _save(recipe: Recipe, fitted: Fitted, path: Path) -> KerasEngine:
    """Saves in half precision, and gives back what was saved: all that is chosen or judged from here on is of the shipped weights."""
    plain = build(recipe.architecture, len(recipe.outputs))
    plain.set_weights(fitted.network.get_weights())
    try:
        save_half(plain, path)
    except ValueError:
        raise TrainingError("A weight is too large for half precision; lower `learning_rate` in the recipe.") from None
    load(plain, path)
    return KerasEngine(plain)


def _versions() -> dict[str, str]:
    backend = keras.backend.backend()
    packages = {"keras": "keras", "numpy": "numpy", "opencv": "opencv-python-headless", "scikit-learn": "scikit-learn"}
    versions = {name: importlib.metadata.version(package) for name, package in packages.items()}
    return {backend: __import__(backend).__version__} | versions
