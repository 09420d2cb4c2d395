"""The report of a run: one page that needs nothing beside it, and the same as JSON. What a report must show: docs/models.md."""

import json
import math
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lungline import RESEARCH_USE, __version__
from lungline.errors import TrainingError
from lungline.progress import say
from models.records import EnsembleRecord
from training.evaluation.judge import EvaluatedVersion
from training.predictions.predict import Predictions
from training.report.curves import curves
from training.report.page import page
from training.report.pictures import pictures
from training.rulings import ChallengerRuling

PAGE: Final = "index.html"
REPORT: Final = "report.json"  # all that the page shows


def write(folder: Path, found: Sequence[EvaluatedVersion], predictions: Predictions, rulings: Sequence[ChallengerRuling] = ()) -> Path:
    """Writes the report of what was judged.

    Args:
        folder: LUNGLINE_HOME's `reports/RUN`; made so that nobody else may read it, as it shows pictures.
        found: what judging each version found, in the order of the page.
        predictions: that it was judged on.
        rulings: what the gate said of each challenger.

    Returns:
        The page.

    Raises:
        TrainingError: the folder cannot be written, or a picture is gone.
    """
    say("writing the report")
    report = {
        "run": folder.name,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "lungline": __version__,
        "notice": RESEARCH_USE,
        "gate": [ruling.as_json() for ruling in rulings],
        "versions": [_version(version, predictions) for version in found],
    }
    report = _plain(report)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        _put(folder / REPORT, json.dumps(report, indent=1, allow_nan=False))
        _put(folder / PAGE, page(report))
    except OSError as error:
        raise TrainingError(f"The report cannot be written below LUNGLINE_HOME ({error.strerror}); check its folder `reports`.") from None
    return folder / PAGE


def _version(found: EvaluatedVersion, predictions: Predictions) -> dict[str, Any]:
    """All that the page shows of one version. Of the pictures of the split that counts, ten."""
    splits = list(found.predicted.values())
    return {
        "version": found.version,
        "kind": "ensemble" if isinstance(found.record, EnsembleRecord) else "member",
        "told": found.record.as_json(),
        "curves": {split.data: curves(split) for split in splits},
        "pictures": {"split": splits[-1].data, "shown": pictures(found, splits[-1], predictions)} if splits else None,
    }


def _plain(value: Any) -> Any:
    """As JSON can hold it: what is no number is nothing."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _put(path: Path, text: str) -> None:
    """A file that nobody else may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.part")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
