"""What a training run made, made once more, to see whether it comes out the same."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from db import gates, runs, versions
from db.migrate import open_database
from db.rows import storable
from lungline.errors import TrainingError
from lungline.layout import Store
from lungline.settings import Settings
from models.files import MEMBER, Member
from models.registry import find
from training.data import snapshot
from training.fitting import provenance


@dataclass(frozen=True)
class RepeatedMember:
    """A member that was trained once more."""

    member: Member
    is_same: bool | None  # whether the run left a member with these very weights; None: it left none


def repeat_run(settings: Settings, run_id: str, out: Path | None, say: Callable[[str], None]) -> Iterator[RepeatedMember]:
    """Trains by the recipes, data and seed of a run, and compares each member with those that the run left.

    Args:
        settings: of this home.
        run_id: as `training_runs` shows it.
        out: folder for the members; None: `HOME/training/<run>-again`.
        say: takes what a person who waits should know.

    Raises:
        TrainingError: there is no such run, it never began to learn, or its data is gone.
        ModelError: a version that came of it is not in the store any more.
    """
    run_id = storable(run_id)
    with open_database(settings).connect() as connection:
        known = runs.begun_with(connection, run_id)
        challengers, left = gates.challengers(connection, run_id), versions.made_by(connection, run_id)
    models = Store(settings.store).models
    data = snapshot.reopen(Store(settings.store).training / run_id, known)
    if data is None:
        raise TrainingError("The snapshot of this run is missing, or the run never started: look into LUNGLINE_STORE's folder `training`.")
    libraries = provenance.in_words(known["libraries"] or {}), provenance.in_words(provenance.libraries())
    for before, now in ((known["code_version"], provenance.code_version()), libraries):
        if before != now:
            say(f"trained with {before}, now {now}: weights may differ")

    from training.retraining import run  # TensorFlow: seconds

    learnt = run.Learnt(data.folder, known["seed"], tuple(known["recipes"]))
    folder = out or settings.layout.training / f"{run_id}-again"
    made = [folder / name for name in learnt.recipes]
    if all((member / MEMBER).is_file() for member in made):  # by an earlier command: what it made is no answer to this one
        for member in made:
            shutil.rmtree(member)
    left |= {place.member.version for version in challengers for place in find(version, models).places}
    for trained in run.learn(learnt, settings, folder, say):
        yield RepeatedMember(trained, trained.version in left if left else None)
