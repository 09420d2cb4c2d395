"""A training run by hand, beside those of the schedule: entered, and followed until it has ended."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from db import runs
from db.connect import read_only
from db.migrate import open_database
from db.runs import RunProgress
from lungline.presence import live
from lungline.settings import Settings
from training.retraining import recipe_choice

_POLL_SECONDS: Final = 2.0


@dataclass(frozen=True)
class FollowedRun:
    """How far a run is, and whether a training worker of this home lives, who alone gets it on."""

    progress: RunProgress
    has_worker: bool


def enter_run(settings: Settings, recipes: Sequence[str], *, forced: bool = False) -> str:
    """Enters a training run; its id.

    Args:
        settings: of this home.
        recipes: by which it trains, each counted once; none: as the settings say when it begins.
        forced: whether it trains even if nothing is new.

    Raises:
        TrainingError: one of the recipes cannot be retrained.
    """
    named = recipe_choice.split_names(",".join(recipes))
    names = recipe_choice.choose_recipes(named, {}) if named else ()  # what cannot be retrained is told before anything waits for it
    with open_database(settings).begin() as connection:
        run_id = runs.enter(connection, "hand", names, forced=forced)
    assert run_id is not None  # None is for slots of the schedule
    return run_id


def has_worker(settings: Settings) -> bool:
    """Whether a training worker of this home lives."""
    return "training" in live(settings.layout.run)


def follow_run(settings: Settings, run_id: str, poll_seconds: float = _POLL_SECONDS) -> Iterator[FollowedRun]:
    """How far a run is, now and whenever that changes, until it has ended; that comes last. Whoever stops listening stops nothing else."""
    engine = read_only(open_database(settings))
    shown = None
    while shown is None or not shown.progress.has_ended:
        with engine.connect() as connection:
            found = FollowedRun(runs.progress_of(connection, run_id), has_worker(settings))
        if found != shown:
            shown = found
            yield found
        else:
            time.sleep(poll_seconds)
    engine.dispose()
