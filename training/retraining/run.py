"""One retraining, from a snapshot of the data to a ruling on each challenger. What it does not decide is whether a challenger judges."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lungline.durable import copy_into_place
from lungline.errors import ModelError
from lungline.findings import Modality
from lungline.progress import say
from lungline.settings import Settings
from models.files import ENSEMBLES, MEMBER, EnsembleFiles, Member, is_whole, read_ensemble, read_member
from models.runtimes.choice import RuntimeChoice
from training import recipes
from training.evaluation.judge import EvaluatedVersion, Evaluator
from training.evaluation.test_split_log import SplitLog
from training.fitting import tensorboard
from training.gate import rule, serving_check, shuffled_labels
from training.gate.rule import Besides
from training.members.compose import compose, list_members
from training.members.train import Start, train
from training.predictions.predict import Predictions
from training.report.writing import write_report
from training.retraining.recipe_choice import BASE_WEIGHTS
from training.rulings import ChallengerRuling, Ruling

Tell = Callable[[str], None]  # what it is at, for people


@dataclass(frozen=True)
class Learnt:
    """What decides a retraining's weights."""

    data: Path  # the snapshot
    seed: int
    recipes: tuple[str, ...]


@dataclass(frozen=True)
class RuledChallenger:
    """A challenger with its ruling."""

    challenger: EnsembleFiles
    ruling: ChallengerRuling


def learn(learnt: Learnt, settings: Settings, out: Path, tell: Tell) -> list[Member]:
    """Trains each recipe, and judges its member on val; what was finished before this run was killed is not done again.

    Raises:
        TrainingError: data or base weights are missing, or training failed.
    """
    start = start_of(learnt, settings)
    members = []
    for name in learnt.recipes:
        tell(f"{name}: reading pictures")
        members += train([name], start, out)
    return members


def start_of(learnt: Learnt, settings: Settings) -> Start:
    """As `lungline train` begins."""
    return Start(learnt.data, learnt.seed, BASE_WEIGHTS, settings.weights_dir, None, kept=settings.layout.features)


def keep_others(champion: EnsembleFiles, made: tuple[str, ...], out: Path) -> None:
    """Puts the champion's members that are not trained anew beside those that are: together they are the challenger.

    What another champion left there, of before this run was killed, goes.

    Raises:
        ModelError: one is missing or damaged.
    """
    kept = {place.member.name: place.member for place in champion.places if place.member.name not in made}
    for folder in [path.parent for path in out.glob(f"[!.]*/{MEMBER}") if path.parent.name not in made]:
        there = read_member(folder) if is_whole(folder) else None
        if there is None or (there.modality is champion.modality and there.sha256 not in {member.sha256 for member in kept.values()}):
            shutil.rmtree(folder)
    for member in kept.values():
        if not (out / member.name).exists():
            member.checked_weights()
            copy_into_place(member.folder, out / member.name)


def judge(
    champion: EnsembleFiles, learnt: Learnt, settings: Settings, out: Path, tell: Tell, *, newer_labels: bool, uses: int
) -> RuledChallenger:
    """Makes a challenger out of the members in `out`, and asks the gate.

    Args:
        champion: whose place it may take.
        learnt: by which recipes, on what.
        settings: of this home.
        out: the run's folder of models.
        tell: hears what it is at.
        newer_labels: than those that the champion learnt from; counts only where a member that learnt from them votes.
        uses: how often the split `gate` was used so far, this time included.

    Raises:
        ModelError: the champion's files are missing or damaged.
        TrainingError: the split `gate` has no scan.
    """
    modality = champion.modality
    assert modality is not None
    predictions = Predictions(learnt.data, kept=start_of(learnt, settings).kept)
    tell(f"{modality.value}: composing the challenger")
    challenger = composed(out, modality, predictions)
    mine = [recipe for name in learnt.recipes if (recipe := recipes.load(name)).modality is modality]
    shuffled = {}
    for recipe in mine:
        tell(f"{recipe.name}: shuffled-label control")
        shuffled[recipe.name] = shuffled_labels.control(recipe, start_of(learnt, settings), predictions, out)
    tell(f"{modality.value}: at the gate")
    before = predictions.judge(champion, "gate")
    try:
        after = predictions.judge(challenger, "gate")
    except ModelError as error:
        asked = Besides(shuffled, str(error), newer_labels, ())
        return _ruled(champion, challenger, rule.judge(before, None, asked, uses))
    tried = serving_check.check_serving(challenger, champion, after, predictions, RuntimeChoice.of(settings))
    ours = any(place.member.name in learnt.recipes for place in challenger.places)  # else the champion's members, weighed anew
    asked = Besides(shuffled, tried.fault, newer_labels and ours, tried.speeds)
    ruling = rule.judge(before, after, asked, uses)
    for line in ruling.lines():
        say(line)
    return _ruled(champion, challenger, ruling)


def _ruled(champion: EnsembleFiles, challenger: EnsembleFiles, ruling: Ruling) -> RuledChallenger:
    on = ChallengerRuling.of(ruling, name=challenger.name, champion=champion.version, challenger=challenger.version)
    return RuledChallenger(challenger, on)


def composed(out: Path, modality: Modality, predictions: Predictions) -> EnsembleFiles:
    """The ensemble of all members in `out`: as training left it, or made now if that was killed before."""
    members = {member.sha256 for member in list_members(out) if member.modality is modality}
    try:
        files = read_ensemble(out, modality.value)
        if {place.member.sha256 for place in files.places} == members:
            return files
    except ModelError:
        pass
    (out / ENSEMBLES / f"{modality.value}.md").unlink(missing_ok=True)  # the card of what stood there
    return compose(out, modality, predictions, of_other_data=True)  # the champion's members that stay are


def report_on(
    ruled_challengers: Sequence[RuledChallenger], members: Sequence[Member], learnt: Learnt, settings: Settings, run_id: str
) -> None:
    """Writes `HOME/reports/<run>/`: the page with what the gate said, and TensorBoard's logs. A run does not fail for want of it."""
    folder = settings.layout.reports / run_id
    try:
        found, predictions = _found(ruled_challengers, members, learnt, settings, folder)
        write_report(folder, found, predictions, [each.ruling for each in ruled_challengers])
        tensorboard.write(folder / "tensorboard", members)
    except Exception as error:  # whatever it is, the ruling stands, and the run must not be made again for a page
        say(f"no report: {type(error).__name__}")


def _found(
    ruled_challengers: Sequence[RuledChallenger], members: Sequence[Member], learnt: Learnt, settings: Settings, folder: Path
) -> tuple[list[EvaluatedVersion], Predictions]:
    """What the report shows, and the challengers' cards: of val alone, so that nothing is looked at that would be counted."""
    predictions = Predictions(learnt.data, kept=start_of(learnt, settings).kept)
    asked = Evaluator(predictions, settings.weights_dir, SplitLog(folder))
    found = []
    for ruled in ruled_challengers:
        root = ruled.challenger.places[0].member.folder.parent
        found.append(asked.ensemble(ruled.challenger, root / ENSEMBLES / f"{ruled.challenger.name}.json", ["val"]))
    return found + [asked.member(member, ["val"], writes=False) for member in members], predictions
