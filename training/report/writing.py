"""The report of a run: one page that needs nothing beside it, and the same as JSON. What a report must show: docs/models.md."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lungline import RESEARCH_USE, __version__
from lungline.durable import replace_text
from lungline.errors import TrainingError
from lungline.progress import say
from models.records import MemberRecord
from training.evaluation.judge import EvaluatedVersion
from training.predictions.predict import Predictions
from training.report.contents import Report, ReportedVersion, ShownPictures
from training.report.curves import measure_curves
from training.report.page import render_page
from training.report.pictures import pictures
from training.rulings import ChallengerRuling

PAGE: Final = "index.html"
REPORT: Final = "report.json"  # all that the page shows


def write_report(
    folder: Path, found: Sequence[EvaluatedVersion], predictions: Predictions, rulings: Sequence[ChallengerRuling] = ()
) -> Path:
    """Writes the report of what was evaluated.

    Args:
        folder: LUNGLINE_HOME's `reports/RUN`; made so that nobody else may read it, as it shows pictures.
        found: each evaluated version, in the order of the page.
        predictions: of the labelled scans that it was evaluated on.
        rulings: what the gate said of each challenger.

    Returns:
        The page.

    Raises:
        TrainingError: the folder cannot be written, or a picture is gone.
    """
    say("writing the report")
    report = Report(
        run=folder.name,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        lungline=__version__,
        notice=RESEARCH_USE,
        gate=tuple(rulings),
        versions=tuple(_version(each, predictions) for each in found),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        replace_text(folder / REPORT, report.text(), mode=0o600)
        replace_text(folder / PAGE, render_page(report), mode=0o600)
    except OSError as error:
        raise TrainingError(f"The report cannot be written below LUNGLINE_HOME ({error.strerror}); check its folder `reports`.") from None
    return folder / PAGE


def _version(found: EvaluatedVersion, predictions: Predictions) -> ReportedVersion:
    """All that the page shows of one version. Of the pictures of the split that counts, ten."""
    predicted = list(found.predicted.values())
    return ReportedVersion(
        version=found.version,
        kind="member" if isinstance(found.record, MemberRecord) else "ensemble",
        record=found.record,
        curves={each.data: measure_curves(each) for each in predicted},
        pictures=ShownPictures(split=predicted[-1].data, shown=pictures(found, predicted[-1], predictions)) if predicted else None,
    )
