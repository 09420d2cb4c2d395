"""`lungline evaluate`: how good members and ensembles are, on labelled scans that they were not trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lungline.settings import Settings
    from training.evaluation.candidates import Candidate
    from training.evaluation.test_split_log import TestSplitLog
    from training.predictions.predict import Predictions

_SPLITS = {"test": ("test",), "val": ("val",), "both": ("val", "test")}


def evaluate(
    versions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VERSION]...", help="Versions or names of members and ensembles; an ensemble includes its members. Default: all."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="`test` (each use is counted), `val`, or `both`.")] = "both",
    models: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder of models as `lungline train --out` writes it. Default: models that ship, and those in the store.",
        ),
    ] = None,
    leave_one_out: Annotated[
        bool,
        typer.Option(
            "--leave-one-out", help="Train members again without each source in turn, and evaluate them on that source; takes hours."
        ),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(metavar="MANIFEST", help="Another data set, as `lungline data build` writes it. Default: LUNGLINE_TRAINING_DATA."),
    ] = None,
) -> None:
    """Evaluate members and ensembles on labelled scans: writes a report, cards, and rows of the view model_quality."""
    from lungline.errors import TrainingError
    from lungline.settings import load

    settings = load()
    root = data or settings.training_data
    if root is None:
        raise TrainingError(
            "Set LUNGLINE_TRAINING_DATA to a folder of labelled scans with a manifest.csv, or name a data set with `--data`."
        )
    if split not in _SPLITS:
        raise typer.BadParameter("`--split` takes test, val or both.")

    from db import quality
    from db.migrate import open_database
    from lungline.ids import new_id
    from lungline.progress import say
    from training.data.datasets import digest
    from training.evaluation.candidates import chosen
    from training.evaluation.judge import Judge
    from training.predictions.predict import Predictions
    from training.report.writing import write_report

    asked = chosen(_known(settings, models, writes=data is None), versions or ())
    predictions = Predictions(root, kept=settings.layout.features)
    another = f"set {digest(root)[:8]}" if data else ""  # by its bytes: its name may tell more than it should
    judge = Judge(predictions, settings.weights_dir, _uses(settings, models, predictions, another), leave_one_out=leave_one_out)
    engine = open_database(settings)
    found = []
    for candidate in asked:
        there = [one for one in _SPLITS[split] if predictions.has(candidate.what.modality, one)]
        if not there:
            say(f"{candidate.what.version}: not evaluated, as the data set has no picture for it")
            continue
        found.append(candidate.judge(judge, there))
        with engine.begin() as connection:
            for one in there:
                figures = found[-1].record.evaluations[one].as_json()
                quality.enter(connection, quality.rows(found[-1].version, f"{one} of {another}" if another else one, figures))
        print(found[-1].card)
    if not found:
        raise TrainingError("The data set has no picture to evaluate these models on; `lungline data check` shows what it contains.")
    print(write_report(settings.layout.reports / new_id(), found, predictions))


def _known(settings: "Settings", models: Path | None, *, writes: bool) -> "list[Candidate]":
    """Those of a folder; or all that ship, which is never written to, and those of the store."""
    from lungline.layout import Store
    from models.registry import SHIPPED
    from training.evaluation.candidates import candidates

    if models:
        return candidates(models, writes=writes)
    return candidates(SHIPPED, writes=False) + candidates(Store(settings.store).models, writes=writes)


def _uses(settings: "Settings", models: Path | None, predictions: "Predictions", another: str) -> "TestSplitLog":
    """Where looks at test are counted: beside a folder's models, else in the store. What ships looked already, if the data are the same."""
    from lungline.layout import Store
    from training.evaluation.test_split_log import TestSplitLog, of_what_ships

    if models or another:
        return TestSplitLog(models or Store(settings.store).models, data=another)
    return TestSplitLog(Store(settings.store).models, of_what_ships(predictions))
