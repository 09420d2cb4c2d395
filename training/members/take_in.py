"""Takes in a network that somebody trained by one of the recipes, elsewhere: its weights into our network, judged, and as a challenger."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lungline.errors import TrainingError
from lungline.findings import FINDINGS, Modality, finding_of
from models.architectures import build
from models.backend import keras
from models.calibration import probabilities
from models.ensemble import fold, may_join
from models.files import CARD, ENSEMBLES, MEMBER, WEIGHTS, EnsembleFiles, Member, adopt, read_ensemble, read_member, write_ensemble
from models.interchange.foreign import read as read_foreign
from models.interchange.transplant import count_outputs, transplant
from models.records import MemberRecord
from models.runtimes.keras import KerasRuntime
from training import recipes
from training.evaluation.card import render_card
from training.evaluation.judge import Evaluator
from training.evaluation.test_split_log import SplitLog, find_uses_by_what_ships
from training.members.blueprint import parameters
from training.metrics import calibration
from training.predictions.measure import finding_rows
from training.predictions.predict import Predictions
from training.recipes import Recipe

# A file may hold doubles, and beside each weight the two moments of its optimiser.
_BYTES_A_WEIGHT: Final = 3 * 8
_BYTES_BESIDE: Final = 64 * 2**20

_NUMBER: Final = 1  # the make-up of an ensemble of one member

# Where nothing was measured, a person looks at every scan.
_ALL_TO_REVIEW: Final = {"margin": 1.0, "disagreement": 0.0}


@dataclass(frozen=True)
class ImportedMember:
    """What came in."""

    member: Member
    ensemble: EnsembleFiles | None  # of this member alone; None: its outputs do not cover the findings of its modality
    code: tuple[str, ...]  # layers of the file that hold code, which was not run


def bring_in(file: Path, name: str, outputs: Sequence[str] | None, data: Path | None, models: Path) -> ImportedMember:
    """Puts a member made of `file` into the store, and an ensemble of it alone where it covers the findings of its modality.

    With `data`, its temperature and the thresholds of review are set on val, and it is judged on val and test. Without, its temperature is
    1, it has no figures, and its ensemble sends every scan to review.

    Args:
        file: `.h5` or `.keras`.
        name: of the recipe that it was trained by.
        outputs: what each output stands for, in the file's order; of a single sigmoid what 1 stands for, then 0.
        data: LUNGLINE_TRAINING_DATA.
        models: the store's folder of models.

    Raises:
        ModelError: the file is damaged, or does not fit the recipe.
        TrainingError: there is no such recipe; or `outputs` are missing, or not its findings.
    """
    recipe = recipes.load(name)
    if recipe.modality is None:
        raise TrainingError(f"`{name}` is for admission, for which networks cannot be imported: name a recipe for X-ray or CT.")
    network, ordered, code = _network(file, recipe, recipe.modality, outputs)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        predictions = Predictions(data) if data else None
        _write(root / name, recipe, network, ordered, file, predictions)
        member = read_member(root / name)
        ensemble = _ensemble(root, member, recipe.modality, predictions) if may_join(member) else None
        if predictions:
            _judge(root, member, ensemble, predictions, models)
        else:
            (member.folder / CARD).write_text(render_card(member.record, member.version), encoding="utf-8")
        adopt(root, models)
        in_store = read_member(models / name / member.version)
        return ImportedMember(in_store, read_ensemble(models, ensemble.version) if ensemble else None, code)


def _network(
    file: Path, recipe: Recipe, modality: Modality, outputs: Sequence[str] | None
) -> tuple[keras.Model, tuple[str, ...], tuple[str, ...]]:
    """The recipe's network with the file's weights; its outputs in our order, covid19 first; and the layers whose code was not run."""
    network = build(recipe.architecture, len(recipe.outputs))
    foreign = read_foreign(file, _BYTES_A_WEIGHT * network.count_params() + _BYTES_BESIDE)
    answers = count_outputs(foreign)
    count = max(2, answers)
    labels = _checked(recipe, modality, outputs, answers)
    if answers != len(recipe.outputs):
        network = build(recipe.architecture, answers)
    transplant(foreign, network)
    if answers == 1:
        network = _of_two(network, build(recipe.architecture, count))
    known = list(dict.fromkeys([*FINDINGS[modality], *recipe.outputs, *labels]))
    order = sorted(range(count), key=lambda output: known.index(labels[output]))
    head = network.layers[-1]
    head.set_weights([weight[..., order] for weight in head.get_weights()])  # so that another order of outputs is another version
    return network, tuple(labels[output] for output in order), foreign.code


def _of_two(first: keras.Model, second: keras.Model) -> keras.Model:
    """The network of a single sigmoid as one of two logits, its own and 0: their softmax is the sigmoid, and what is left of 1."""
    for ours, theirs in zip(second.layers[:-1], first.layers[:-1], strict=True):
        ours.set_weights(theirs.get_weights())
    kernel, bias = first.layers[-1].get_weights()
    second.layers[-1].set_weights([np.pad(kernel, ((0, 0), (0, 1))), np.pad(bias, (0, 1))])
    return second


def _checked(recipe: Recipe, modality: Modality, outputs: Sequence[str] | None, answers: int) -> Sequence[str]:
    count = max(2, answers)
    example = ",".join((recipe.published.outputs if recipe.published else recipe.outputs)[:count])
    if answers == 1 and (outputs is None or len(outputs) != count):
        raise TrainingError(
            "The file's network has a single output, a sigmoid: name what 1 stands for, then what 0 does, for example "
            f"--outputs {example}. (Keras' generators number folders in alphabetical order: 0 is the first.)"
        )
    if outputs is None:
        raise TrainingError(
            f"The file does not say what its {count} outputs stand for: add --outputs, in the file's order, for example "
            f"--outputs {example}. (Keras' generators number folders in alphabetical order.)"
        )
    if len(outputs) != count:
        raise TrainingError(f"The file's network has {count} outputs, and --outputs names {len(outputs)}.")
    for output in outputs:
        try:
            finding_of(modality, output)
        except KeyError:
            raise TrainingError(f"`{output}` is not a finding of {modality.value}; for example --outputs {example}.") from None
    if len(set(outputs)) < count or FINDINGS[modality][0] not in outputs:
        raise TrainingError(f"--outputs needs {FINDINGS[modality][0]}, and each name once.")
    return outputs


def _write(
    folder: Path, recipe: Recipe, network: keras.Model, outputs: tuple[str, ...], file: Path, predictions: Predictions | None
) -> None:
    folder.mkdir()
    network.save_weights(folder / WEIGHTS)  # in full precision: it answers as it did where it was trained
    temperature = 1.0
    if predictions:
        labels = np.array([example.label for example in predictions.data(recipe.modality).split("val")])
        rows = np.flatnonzero(np.isin(labels, outputs))
        if len(rows):
            logits = KerasRuntime(network).run(predictions.pictures(recipe.preprocess, recipe.modality, "val")[rows])
            temperature = calibration.fit_temperature(logits, np.array([outputs.index(label) for label in labels[rows]], np.intp))
    facts = {
        "name": recipe.name,
        "recipe": recipe.name,
        "modality": recipe.modality,
        "architecture": recipe.architecture,
        "preprocess": recipe.preprocess,
        "outputs": outputs,
        "sha256": hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
        "imported": {"file_sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
        **parameters(recipe, network),
        "temperature": temperature,
    }
    (folder / MEMBER).write_text(MemberRecord.model_validate(facts).text())


def _ensemble(root: Path, member: Member, modality: Modality, predictions: Predictions | None) -> EnsembleFiles:
    temperature, thresholds = member.record.temperature, dict(_ALL_TO_REVIEW)
    if predictions:
        rows = finding_rows(FINDINGS[modality], predictions.data(modality).split("val"))
        votes = probabilities(predictions.logits(member, "val")[rows], temperature) @ fold(modality, member.version, member.outputs)
        if len(rows):
            thresholds = calibration.choose_review_thresholds(votes[np.newaxis], [1.0])
    write_ensemble(root, modality.value, number=_NUMBER, places=[(member, 1.0, temperature)], thresholds=thresholds)
    return read_ensemble(root, modality.value)


def _judge(root: Path, member: Member, ensemble: EnsembleFiles | None, predictions: Predictions, models: Path) -> None:
    """Figures and cards on val and test, as far as the data have them; a look at test is counted beside the store's models."""
    splits = [split for split in ("val", "test") if predictions.has(member.modality, split)]
    judge = Evaluator(predictions, None, SplitLog(models, find_uses_by_what_ships(predictions)))
    judge.member(member, splits)
    if ensemble:
        judge.ensemble(ensemble, root / ENSEMBLES / f"{ensemble.name}.json", splits)
