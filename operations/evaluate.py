"""How good members and ensembles are, on labelled scans that they were not trained on."""

from collections.abc import Callable, Sequence
from pathlib import Path

from db import quality
from db.migrate import open_database
from lungline.errors import TrainingError
from lungline.ids import new_id
from lungline.layout import Store
from lungline.settings import Settings
from training.data.datasets import digest
from training.evaluation.candidates import choose_candidates, list_candidates, list_candidates_at_hand
from training.evaluation.judge import Evaluator
from training.evaluation.test_split_log import SplitLog, find_uses_by_what_ships
from training.predictions.predict import Predictions
from training.report.writing import write_report


def evaluate(
    settings: Settings,
    versions: Sequence[str],
    splits: Sequence[str],
    *,
    models: Path | None = None,
    data: Path | None = None,
    leave_one_out: bool = False,
    show: Callable[[str], None],
    say: Callable[[str], None],
) -> Path:
    """Judges members and ensembles, and enters their figures in `model_quality`; takes minutes to hours.

    Args:
        settings: of this home.
        versions: or names, of members and ensembles; an ensemble's members go with it. None: all.
        splits: of val and test; each look at test is counted.
        models: a folder of models; None: those that ship, and the store's.
        data: a data set; None: LUNGLINE_TRAINING_DATA.
        leave_one_out: whether members are trained anew without each source in turn, and asked about that one.
        show: takes each card as soon as it is written.
        say: takes what a person who waits should know.

    Returns:
        The page of the report.

    Raises:
        TrainingError: there is no data set, or it has no picture for these models.
    """
    root = data or settings.training_data
    if root is None:
        raise TrainingError(
            "Set LUNGLINE_TRAINING_DATA to a folder of labelled scans with a manifest.csv, or name a data set with `--data`."
        )
    writes = data is None
    store_models = Store(settings.store).models
    known = list_candidates(models, writes=writes) if models else list_candidates_at_hand(store_models, writes=writes)
    asked = choose_candidates(known, versions)
    predictions = Predictions(root, kept=settings.layout.features)
    another = f"set {digest(root)[:8]}" if data else ""  # by its bytes: its name may tell more than it should
    judge = Evaluator(
        predictions, settings.weights_dir, _test_split_log(settings, models, predictions, another), leave_one_out=leave_one_out
    )
    engine = open_database(settings)
    found = []
    for candidate in asked:
        there = [split for split in splits if predictions.has(candidate.what.modality, split)]
        if not there:
            say(f"{candidate.what.version}: not evaluated, as the data set has no picture for it")
            continue
        judged = candidate.judge(judge, there)
        found.append(judged)
        with engine.begin() as connection:
            for split in there:
                figures = judged.record.evaluations[split].as_json()
                quality.enter(connection, quality.rows(judged.version, f"{split} of {another}" if another else split, figures))
        show(judged.card)
    if not found:
        raise TrainingError("The data set has no picture to evaluate these models on; `lungline data check` shows what it contains.")
    return write_report(settings.layout.reports / new_id(), found, predictions)


def _test_split_log(settings: Settings, models: Path | None, predictions: Predictions, another: str) -> SplitLog:
    """Where looks at test are counted: beside a folder's models, else in the store. What ships looked already, if the data are the same."""
    if models or another:
        return SplitLog(models or Store(settings.store).models, data=another)
    return SplitLog(Store(settings.store).models, find_uses_by_what_ships(predictions))
