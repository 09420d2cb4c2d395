"""From a recipe to a member's folder: read, fit on train and val, save in half precision, set the temperature on val."""

import dataclasses
import hashlib
import importlib.metadata
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lungline.errors import TrainingError
from lungline.progress import say
from models.admission import NEITHER
from models.architectures import build
from models.backend import keras
from models.engines.keras import KerasEngine
from models.files import MEMBER, WEIGHTS, Member, read_member
from models.weights import load, save_half
from training import base, calibrate, recipes
from training.checkpoint import Checkpoint
from training.compose import compose, compose_admission
from training.fit import Fitted, Labelled, fit
from training.judge import Judge
from training.lessons import labelled, with_made
from training.readings import Readings
from training.recipes import Recipe


@dataclass(frozen=True)
class Start:
    """What a training starts from, beside its recipe."""

    data: Path  # LUNGLINE_TRAINING_DATA
    seed: int
    weights: str  # imagenet or none
    weights_dir: Path | None  # LUNGLINE_WEIGHTS_DIR
    epochs: int | None  # None: as the recipe says


def train(names: list[str], start: Start, out: Path) -> list[Member]:
    """Trains members by recipes, makes the ensembles of all members in `out` anew, and writes the cards of both with figures on val.

    Killed and run again, it goes on after the last epoch that was finished.

    Raises:
        TrainingError: data or base weights are missing, there is no such recipe, or training failed.
    """
    chosen = [recipes.load(name) for name in dict.fromkeys(names)]
    readings = Readings(start.data)
    made = [make(recipe, start, out, readings) for recipe in chosen]
    judge = Judge(out, readings, start.weights_dir)
    for modality in dict.fromkeys(member.modality for member in made):
        members = [member for member in made if member.modality is modality]
        if modality is None:
            files = compose_admission(out, members[-1], readings)
            judge.member(members[-1], ["val"], files.thresholds[NEITHER])
            continue
        files = compose(out, modality, readings)
        for member in members:
            judge.member(member, ["val"])
        judge.ensemble(files, modality.value, ["val"])
    return [read_member(member.folder) for member in made]


def make(recipe: Recipe, start: Start, out: Path, readings: Readings) -> Member:
    """Trains a member and writes `out/<recipe>/` with weights and member.json, in place of an older one.

    Raises:
        TrainingError: data or base weights are missing, or training failed.
    """
    load_base, base_told = base.loader(recipe.architecture, start.weights, start.weights_dir)
    recipe = dataclasses.replace(recipe, epochs=start.epochs or recipe.epochs)
    data = readings.data(recipe.modality)
    lessons, val = (labelled(recipe, data, split, readings) for split in ("train", "val"))
    if recipe.modality is None:
        lessons = with_made(recipe, data, lessons, start.seed)
    told: dict[str, Any] = {
        "name": recipe.name,
        "recipe": recipe.name,
        "modality": recipe.modality,
        "architecture": recipe.architecture,
        "preprocess": recipe.preprocess,
        "outputs": recipe.outputs,
        "seed": start.seed,
        "base": base_told,
        "data_sha256": data.sha256,
        "versions": _versions(),
    }
    out.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(json.dumps([told, dataclasses.asdict(recipe)]).encode()).hexdigest()
    checkpoint = Checkpoint(out / f".{recipe.name}.checkpoint.npz", key)
    fitted = fit(recipe, lessons, val, seed=start.seed, epochs=recipe.epochs, load_base=load_base, checkpoint=checkpoint)
    draft = out / f".{recipe.name}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    network = _save(recipe, fitted, draft / WEIGHTS)
    told |= {
        "sha256": hashlib.sha256((draft / WEIGHTS).read_bytes()).hexdigest(),
        "parameters": network.count_params(),
        "epochs": fitted.epochs,
        "best_epoch": fitted.best_epoch,
        "temperature": _temperature(recipe, network, val) if recipe.modality else 1.0,
    }
    (draft / MEMBER).write_text(json.dumps(told, indent=2) + "\n")
    folder = out / recipe.name
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    checkpoint.remove()
    say(f"{recipe.name}: written.")
    return read_member(folder)


def _temperature(recipe: Recipe, network: keras.Model, val: Labelled) -> float:
    rows = [row for row, label in enumerate(val.labels) if label in recipe.outputs]
    return calibrate.temperature(KerasEngine(network).run(val.pictures[rows]), val.outputs[rows])


def _save(recipe: Recipe, fitted: Fitted, path: Path) -> keras.Model:
    """Saves in half precision, and gives back what was saved: all that is chosen or judged from here on is of the shipped weights."""
    plain = build(recipe.architecture, len(recipe.outputs))
    plain.set_weights(fitted.network.get_weights())
    try:
        save_half(plain, path)
    except ValueError:
        raise TrainingError("A weight is too large for half precision; lower `learning_rate` in the recipe.") from None
    load(plain, path)
    return plain


def _versions() -> dict[str, str]:
    backend = keras.backend.backend()
    packages = {"keras": "keras", "numpy": "numpy", "opencv": "opencv-python-headless", "scikit-learn": "scikit-learn"}
    versions = {name: importlib.metadata.version(package) for name, package in packages.items()}
    return {backend: __import__(backend).__version__} | versions
