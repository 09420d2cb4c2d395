"""From a recipe to a member's folder: read, fit on train and val, save in half precision, set the temperature on val."""

import dataclasses
import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lungline.errors import TrainingError
from lungline.findings import Modality
from lungline.progress import say
from models.admission import NEITHER
from models.architectures import build
from models.backend import keras
from models.engines.keras import KerasEngine
from models.ensemble import may_join
from models.files import ENSEMBLES, MEMBER, WEIGHTS, EnsembleFiles, Member, read_member
from models.registry import shipped
from models.weights import load, save_half
from training import base, calibrate, published, recipes, report, teacher
from training.blueprint import parameters
from training.checkpoint import Checkpoint
from training.compose import compose, compose_admission
from training.fit import Fitted, Labelled, fit
from training.judge import Found, Judge
from training.lessons import labelled, with_doubles, with_made
from training.readings import Readings
from training.recipes import Recipe
from training.uses import Uses


@dataclass(frozen=True)
class Start:
    """What a training starts from, beside its recipe."""

    data: Path  # LUNGLINE_TRAINING_DATA
    seed: int
    weights: str  # imagenet or none
    weights_dir: Path | None  # LUNGLINE_WEIGHTS_DIR
    epochs: int | None  # None: as the recipe says
    as_published: bool = False  # by the head, split and protocol of the system that the recipe answers to
    limit: int | None = None  # at most so many pictures of each split, for a trial
    kept: Path | None = None  # LUNGLINE_HOME's `cache/features`; None: what frozen bases make of pictures is kept in memory
    teachers: Mapping[Modality, EnsembleFiles] | None = None  # what students learn from; None: what ships


@dataclass(frozen=True)
class Reporting:
    """What is told of a training, beside its cards."""

    folder: Path  # LUNGLINE_HOME's `reports/RUN`
    splits: tuple[str, ...]  # to judge on: val, and test unless it is to stay unseen
    counted: Path  # the folder of models beside which looks at test are counted


def train(names: list[str], start: Start, out: Path, reporting: Reporting | None = None) -> list[Member]:
    """Trains members by recipes, makes the ensembles of all members in `out` anew, and writes the cards of both with figures on val.

    Killed and run again, it goes on after the last epoch that was finished. What is trained as it was published stands alone: its own split
    took from val, so that nothing could be chosen or judged there.

    Args:
        names: of recipes.
        start: what it starts from.
        out: the folder of models.
        reporting: where to write a report, and what to judge on for it; None: cards alone.

    Raises:
        TrainingError: data or base weights are missing, there is no such recipe, or training failed.
    """
    chosen = [recipes.load(name) for name in dict.fromkeys(names)]
    readings = Readings(start.data, limit=start.limit, kept=start.kept)
    made = [(make_published if start.as_published else make)(recipe, start, out, readings) for recipe in chosen]
    judge = Judge(readings, start.weights_dir, Uses(reporting.counted if reporting else out))
    splits = reporting.splits if reporting else ("val",)
    if start.as_published:
        found = [judge.member(member, [split for split in splits if split != "val"]) for member in made]
    else:
        found = _judge(made, out, readings, judge, splits)
    if reporting:
        report.write(reporting.folder, found, readings)
    return [read_member(member.folder) for member in made]


def _judge(made: list[Member], out: Path, readings: Readings, judge: Judge, splits: tuple[str, ...]) -> list[Found]:
    """Makes the ensembles of what was trained, and judges both."""
    found = []
    for modality in dict.fromkeys(member.modality for member in made):
        members = [member for member in made if member.modality is modality]
        if modality is None:
            files = compose_admission(out, members[-1], readings)
            found.append(judge.member(members[-1], splits, files.thresholds[NEITHER]))
            continue
        found += [judge.member(member, splits) for member in members]
        if any(may_join(member) for member in members):
            files = compose(out, modality, readings)
            found.append(judge.ensemble(files, out / ENSEMBLES / f"{modality.value}.json", splits))
    return found


def make(recipe: Recipe, start: Start, out: Path, readings: Readings) -> Member:
    """Trains a member and writes `out/<recipe>/` with weights and member.json, in place of an older one.

    Raises:
        TrainingError: data or base weights are missing, or training failed.
    """
    if start.limit:  # so few pictures that hardly a source has the groups that it should have
        recipe = dataclasses.replace(recipe, source_groups=1)
    data = readings.data(recipe.modality)
    lessons, val = (labelled(recipe, data, split, readings) for split in ("train", "val"))
    if recipe.modality is None:
        lessons = with_made(recipe, data, lessons, start.seed)
    files = (start.teachers or shipped())[recipe.modality] if recipe.votes and recipe.modality else None
    if files:
        lessons = dataclasses.replace(lessons, votes=teacher.votes(recipe, files, readings))
    return _write(recipe, recipe.name, start, out, lessons, val, data.sha256, {"teacher": files.version} if files else {})


def make_published(recipe: Recipe, start: Start, out: Path, readings: Readings) -> Member:
    """Trains a member as the system was published, and writes `out/<recipe>-as-published/`.

    Raises:
        TrainingError: no system was published behind it, data or base weights are missing, or training failed.
    """
    own, lessons, held = published.lessons(recipe, readings, start.seed)
    return _write(own, recipe.name, start, out, lessons, held, readings.data(recipe.modality).sha256)


def _write(
    recipe: Recipe, book: str, start: Start, out: Path, lessons: Labelled, val: Labelled, data_sha256: str, more: Mapping[str, str] = {}
) -> Member:
    """Trains, and writes the member's folder. `book`: the recipe's name in the book; `more`: what `member.json` tells besides."""
    load_base, base_told = base.loader(recipe.architecture, start.weights, start.weights_dir)
    recipe = dataclasses.replace(recipe, epochs=start.epochs or recipe.epochs)
    if recipe.doubles_smallest:
        lessons = with_doubles(recipe, lessons, start.seed)
    told: dict[str, Any] = {
        "name": recipe.name,
        "recipe": book,
        "modality": recipe.modality,
        "architecture": recipe.architecture,
        "preprocess": recipe.preprocess,
        "outputs": recipe.outputs,
        "seed": start.seed,
        "base": base_told,
        "data_sha256": data_sha256,
        "versions": _versions(),
        **more,
    }
    if start.limit:
        told["limit"] = start.limit
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
        **parameters(recipe, network),
        "epochs": fitted.epochs,
        "best_epoch": fitted.best_epoch,
        "temperature": _temperature(recipe, network, val) if recipe.modality else 1.0,
        "curve": fitted.curve,
    }
    if start.as_published and recipe.published:
        told["as_published"] = published.told(recipe.published, KerasEngine(network).run(val.pictures), lessons, val)
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
        raise TrainingError("A weight is no number any more; lower `learning_rate` in the recipe.") from None
    load(plain, path)
    return plain


def _versions() -> dict[str, str]:
    backend = keras.backend.backend()
    packages = {"keras": "keras", "numpy": "numpy", "opencv": "opencv-python-headless", "scikit-learn": "scikit-learn"}
    versions = {name: importlib.metadata.version(package) for name, package in packages.items()}
    return {backend: __import__(backend).__version__} | versions
