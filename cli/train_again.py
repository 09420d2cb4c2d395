"""`lungline train --from-run`: what a training run made, made once more."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lungline.settings import Settings


def train_again(settings: "Settings", run_id: str, out: Path | None) -> None:
    """Trains by the recipes, data and seed of a run, and says of each member whether its weights are the same.

    Args:
        settings: of this home.
        run_id: as `training_runs` tells it.
        out: folder for the members; None: `HOME/training/<run>-again`.

    Raises:
        TrainingError: there is no such run, it never began to learn, or its data is gone.
        ModelError: a version that came of it is not in the store any more.
    """
    from db import gates, runs, versions
    from db.migrate import open_database
    from lungline.errors import TrainingError
    from lungline.layout import Store
    from training.data import snapshot
    from training.fitting import provenance

    with open_database(settings).connect() as connection:
        known = runs.begun_with(connection, run_id)
        challengers, left = gates.challengers(connection, run_id), versions.made_by(connection, run_id)
    data = snapshot.reopen(Store(settings.store).training / run_id, known)
    if data is None:
        raise TrainingError("The snapshot of this run is missing, or the run never started: look into LUNGLINE_STORE's folder `training`.")
    libraries = provenance.in_words(known["libraries"] or {}), provenance.in_words(provenance.libraries())
    for before, now in ((known["code_version"], provenance.code_version()), libraries):
        if before != now:
            print(f"trained with {before}, now {now}: weights may differ")

    from models.files import MEMBER
    from models.registry import find
    from training.retraining import run  # TensorFlow: seconds

    learnt = run.Learnt(data.folder, known["seed"], tuple(known["recipes"]))
    folder = out or settings.layout.training / f"{run_id}-again"
    made = [folder / name for name in learnt.recipes]
    if all((one / MEMBER).is_file() for one in made):  # by an earlier command: what it made is no answer to this one
        for one in made:
            shutil.rmtree(one)
    left |= {place.member.version for version in challengers for place in find(version, Store(settings.store).models).places}
    for member in run.learn(learnt, settings, folder, print):
        compared = "the same weights" if member.version in left else "other weights than that run left" if left else "that run left none"
        print(f"{member.version}  {member.folder}  {compared}")
