"""Makes members by their recipes out of labelled scans, and an ensemble of all in the folder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lungline.errors import TrainingError
from lungline.ids import new_id
from lungline.layout import Store
from lungline.settings import Settings
from models.files import EnsembleFiles, Member, adopt
from training.data import audit
from workers.catalogue import champions


@dataclass(frozen=True)
class TrainingChoice:
    """How members are made; the defaults are those of `lungline train`."""

    seed: int = 0
    weights: str = "imagenet"  # or none
    epochs: int | None = None  # at most so many; None: as the recipe says
    as_published: bool = False  # by the published system's own head, split and protocol
    limit: int | None = None  # a trial on at most so many pictures of each split, each recipe by itself
    no_test: bool = False  # leaves the test split unseen; a trial leaves it, too
    out: Path | None = None  # folder for the members; None: HOME/training (trials: HOME/trials/RECIPE), and from there into the store


@dataclass(frozen=True)
class TrainedMembers:
    """What one training made."""

    members: list[Member]
    page: Path  # of the report


def train(settings: Settings, recipes: Sequence[str], choice: TrainingChoice) -> Iterator[TrainedMembers | EnsembleFiles]:
    """Trains members, and judges them. Killed and asked again, it goes on after its last finished epoch.

    Returns:
        What was made by all recipes together, and each ensemble that went into the store; of a trial without a folder, recipe by recipe.

    Raises:
        TrainingError: LUNGLINE_TRAINING_DATA is not set, its data set has errors, or training failed.
    """
    data = settings.training_data
    if data is None:
        raise TrainingError("Set LUNGLINE_TRAINING_DATA to a folder of labelled scans with a manifest.csv.")
    audit.require_sound(data / "manifest.csv", settings.layout.audits)

    from training.evaluation.test_split_log import SplitLog, find_uses_by_what_ships
    from training.members.train import Reporting, Start  # TensorFlow: seconds
    from training.members.train import train as make
    from training.predictions.predict import Predictions

    start = Start(
        data,
        choice.seed,
        choice.weights,
        settings.weights_dir,
        choice.epochs,
        choice.as_published,
        choice.limit,
        kept=settings.layout.features,
        teachers=champions(settings),
    )
    store = Store(settings.store).models
    is_trial = choice.limit is not None
    splits = ("val",) if choice.no_test or is_trial else ("val", "test")
    for names in [[name] for name in recipes] if is_trial and choice.out is None else [list(recipes)]:
        folder = choice.out or (settings.layout.trials / names[0] if is_trial else settings.layout.training)
        test_split_log = SplitLog(folder) if is_trial or choice.out else SplitLog(store, find_uses_by_what_ships(Predictions(data)))
        page = settings.layout.reports / new_id()
        yield TrainedMembers(make(names, start, folder, Reporting(page, splits, test_split_log)), page / "index.html")
        if choice.out is None:
            yield from adopt(folder, store)
