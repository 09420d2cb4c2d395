"""From a recipe to a member's folder: read, fit on train and val, save in half precision, set the temperature on val."""

import dataclasses
import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lungline.durable import replacing
from lungline.errors import ModelError, TrainingError
from lungline.findings import Modality
from lungline.progress import say
from models.admission import NEITHER
from models.architectures import build
from models.backend import keras
from models.ensemble import may_join
from models.files import ADMISSION, ENSEMBLES, MEMBER, WEIGHTS, EnsembleFiles, Member, read_member
from models.records import MemberRecord
from models.registry import shipped
from models.runtimes.keras import KerasRuntime
from models.weights import load, save_half
from training import recipes
from training.data.examples import Labelled
from training.evaluation.judge import EvaluatedVersion, Evaluator
from training.evaluation.test_split_log import SplitLog
from training.fitting import base_weights, distillation, provenance, published
from training.fitting.checkpoint import Checkpoint
from training.fitting.loop import Fitted, fit
from training.fitting.training_sets import labelled, with_doubles, with_made
from training.members.blueprint import parameters
from training.members.compose import compose, compose_admission
from training.metrics import calibration
from training.predictions.predict import Predictions
from training.recipes import Recipe
from training.report.writing import write_report


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
    test_split_log: SplitLog  # where looks at test are counted


def train(names: list[str], start: Start, out: Path, reporting: Reporting | None = None) -> list[Member]:
    """Trains members by recipes, makes the ensembles of all members in `out` anew, and writes the cards of both with figures on val.

    Killed and run again, it passes over what was finished, and goes on after the last epoch that was. What is trained as it was published
    stands alone: its own split took from val, so that nothing could be chosen or judged there.

    Args:
        names: of recipes.
        start: what it starts from.
        out: the folder of models.
        reporting: where to write a report, and what to judge on for it; None: cards alone.

    Raises:
        TrainingError: data or base weights are missing, there is no such recipe, or training failed.
    """
    chosen = [recipes.load(name) for name in dict.fromkeys(names)]
    predictions = Predictions(start.data, limit=start.limit, kept=start.kept)
    for recipe in chosen:
        _require(recipe, start, predictions)
    splits = {recipe.modality: _there(recipe.modality, reporting.splits if reporting else ("val",), predictions) for recipe in chosen}
    made = [(make_published if start.as_published else make)(recipe, start, out, predictions) for recipe in chosen]
    judge = Evaluator(predictions, start.weights_dir, reporting.test_split_log if reporting else SplitLog(out))
    if start.as_published:
        found = [judge.member(member, [split for split in splits[member.modality] if split != "val"]) for member in made]
    else:
        found = _judge(made, out, predictions, judge, splits)
    if reporting:
        write_report(reporting.folder, found, predictions)
    return [read_member(member.folder) for member in made]


def _require(recipe: Recipe, start: Start, predictions: Predictions) -> None:
    """Finds what is missing before hours go into a training.

    Raises:
        TrainingError: base weights are, or the rows of a split that is learnt from.
    """
    base_weights.loader(recipe.architecture, start.weights, start.weights_dir)
    data = predictions.data(recipe.modality)
    for split in ("train", "val"):
        if not any(example.split == split for example in data.examples):
            raise TrainingError(
                f"The manifest in LUNGLINE_TRAINING_DATA has no row with split `{split}` for recipe `{recipe.name}`; "
                "build it again with more groups: `lungline data build`."
            )


def _there(modality: Modality | None, splits: tuple[str, ...], predictions: Predictions) -> tuple[str, ...]:
    """The splits that can be judged on."""
    found = tuple(split for split in splits if predictions.has(modality, split))
    for split in splits:
        if split not in found:
            say(f"not evaluated on {split}: the manifest has no row there for {modality.value if modality else ADMISSION}")
    return found


def _judge(
    made: list[Member], out: Path, predictions: Predictions, judge: Evaluator, splits: Mapping[Modality | None, tuple[str, ...]]
) -> list[EvaluatedVersion]:
    """Makes the ensembles of what was trained, and judges both. Ensembles first: judging is long, and may be killed."""
    ensembles: dict[Modality | None, EnsembleFiles] = {}
    for member in made:
        if member.modality is None:
            ensembles[None] = compose_admission(out, member, predictions)
        elif may_join(member) and member.modality not in ensembles:
            ensembles[member.modality] = compose(out, member.modality, predictions)
    found = []
    for modality in dict.fromkeys(member.modality for member in made):
        members = [member for member in made if member.modality is modality]
        if modality is None:
            found.append(judge.member(members[-1], splits[None], ensembles[None].thresholds[NEITHER]))
            continue
        found += [judge.member(member, splits[modality]) for member in members]
        if modality in ensembles:
            found.append(judge.ensemble(ensembles[modality], out / ENSEMBLES / f"{modality.value}.json", splits[modality]))
    return found


def make(recipe: Recipe, start: Start, out: Path, predictions: Predictions) -> Member:
    """Trains a member and writes `out/<recipe>/` with weights and member.json, in place of an older one.

    Raises:
        TrainingError: data or base weights are missing, or training failed.
    """
    if start.limit:  # so few pictures that hardly a source has the groups that it should have
        recipe = dataclasses.replace(recipe, source_groups=1)
    data = predictions.data(recipe.modality)
    train_set, val = (labelled(recipe, data, split, predictions) for split in ("train", "val"))
    if recipe.modality is None:
        train_set = with_made(recipe, data, train_set, start.seed)
    files = (start.teachers or shipped())[recipe.modality] if recipe.votes and recipe.modality else None
    if files:
        train_set = dataclasses.replace(train_set, votes=distillation.votes(recipe, files, predictions))
    return _write(recipe, recipe.name, start, out, train_set, val, data.sha256, files)


def make_published(recipe: Recipe, start: Start, out: Path, predictions: Predictions) -> Member:
    """Trains a member as the system was published, and writes `out/<recipe>-as-published/`.

    Raises:
        TrainingError: no system was published behind it, data or base weights are missing, or training failed.
    """
    own, train_set, held = published.split_as_published(recipe, predictions, start.seed)
    return _write(own, recipe.name, start, out, train_set, held, predictions.data(recipe.modality).sha256)


def _write(
    recipe: Recipe,
    book: str,
    start: Start,
    out: Path,
    train_set: Labelled,
    val: Labelled,
    data_sha256: str,
    teacher: EnsembleFiles | None = None,
) -> Member:
    """Trains, and writes the member's folder. `book`: the recipe's name in the book."""
    load_base, base_name = base_weights.loader(recipe.architecture, start.weights, start.weights_dir)
    recipe = dataclasses.replace(recipe, epochs=start.epochs or recipe.epochs)
    if recipe.doubles_smallest:
        train_set = with_doubles(recipe, train_set, start.seed)
    description: dict[str, object] = {
        "name": recipe.name,
        "recipe": book,
        "modality": recipe.modality,
        "architecture": recipe.architecture,
        "preprocess": recipe.preprocess,
        "outputs": recipe.outputs,
        "seed": start.seed,
        "base": base_name,
        "data_sha256": data_sha256,
        "versions": _versions(),
    }
    if teacher:
        description["teacher"] = teacher.version
    if start.limit:
        description["limit"] = start.limit
    out.mkdir(parents=True, exist_ok=True)
    by = [description, dataclasses.asdict(recipe), provenance.code_version(), provenance.libraries()]
    key = hashlib.sha256(json.dumps(by).encode()).hexdigest()
    if finished := _finished(out / recipe.name, key):
        say(f"{recipe.name}: finished already, with the same recipe, data, seed and code; remove its folder to train it again.")
        return finished
    checkpoint = Checkpoint(out / f".{recipe.name}.checkpoint.npz", key)
    fitted = fit(recipe, train_set, val, seed=start.seed, epochs=recipe.epochs, load_base=load_base, checkpoint=checkpoint)
    with replacing(out / recipe.name) as draft:
        draft.mkdir()
        network = _save(recipe, fitted, draft / WEIGHTS)
        description |= {
            "sha256": hashlib.sha256((draft / WEIGHTS).read_bytes()).hexdigest(),
            "made_by": key,
            **parameters(recipe, network),
            "epochs": fitted.epochs,
            "best_epoch": fitted.best_epoch,
            "temperature": _temperature(recipe, network, val) if recipe.modality else 1.0,
            "curve": fitted.curve,
        }
        if start.as_published and recipe.published:
            description["as_published"] = published.compare(recipe.published, KerasRuntime(network).run(val.pictures), train_set, val)
        (draft / MEMBER).write_text(MemberRecord.model_validate(description).text())
        shutil.rmtree(out / recipe.name, ignore_errors=True)
    checkpoint.remove()
    say(f"{recipe.name}: written.")
    return read_member(out / recipe.name)


def _finished(folder: Path, key: str) -> Member | None:
    """The member that a training by the same key left, if it is whole."""
    try:
        member = read_member(folder)
        member.checked_weights()
    except ModelError:
        return None
    return member if member.record.made_by == key else None


def _temperature(recipe: Recipe, network: keras.Model, val: Labelled) -> float:
    rows = [row for row, label in enumerate(val.labels) if label in recipe.outputs]
    return calibration.fit_temperature(KerasRuntime(network).run(val.pictures[rows]), val.outputs[rows])


def _save(recipe: Recipe, fitted: Fitted, path: Path) -> keras.Model:
    """Saves in half precision, and gives back what was saved: all that is chosen or judged from here on is of the shipped weights."""
    plain = build(recipe.architecture, len(recipe.outputs))
    plain.set_weights(fitted.network.get_weights())
    try:
        save_half(plain, path)
    except ValueError:
        raise TrainingError("A weight is no longer a number; lower `learning_rate` in the recipe.") from None
    load(plain, path)
    return plain


def _versions() -> dict[str, str]:
    backend = keras.backend.backend()
    packages = {"keras": "keras", "numpy": "numpy", "opencv": "opencv-python-headless", "scikit-learn": "scikit-learn"}
    versions = {name: importlib.metadata.version(package) for name, package in packages.items()}
    return {backend: __import__(backend).__version__} | versions
