"""From a report's JSON to its page."""

import re
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from models.records import MemberRecord
from training.evaluation.card import CardTable, Section, format_figure, list_evaluations, render_sections
from training.report import plots
from training.report.contents import Report, ReportedVersion
from training.report.rulings import describe_ruling

# The figures at the top, as far as there are any.
_FIRST: Final = {
    "macro_auroc": "macro AUROC",
    "covid19_auroc": "covid19 AUROC",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "accepted_share": "accepted",
    "accepted_accuracy": "right among accepted",
    "xray_kept": "chest X-rays kept",
    "ct_kept": "lung CT kept",
    "turned_away": "others rejected",
}

_SPLITS: Final = {"test": "test", "val": "validation"}

_MARKS: Final = ((re.compile(r"\*\*(.+?)\*\*"), r"<strong>\1</strong>"), (re.compile(r"`(.+?)`"), r"<code>\1</code>"))


def render_page(report: Report) -> str:
    """HTML that is well-formed XML, too, and holds every picture itself."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["marked"] = _marked
    environment.tests["table"] = lambda part: isinstance(part, CardTable)
    gate, versions = [describe_ruling(each) for each in report.gate], [_shown(version) for version in report.versions]
    return environment.get_template("page.html.j2").render(report=report, gate=gate, versions=versions)


def _shown(version: ReportedVersion) -> dict[str, object]:
    """What the template is given of one version."""
    pictures = version.pictures
    return {
        "version": version.version,
        "kind": version.kind,
        "modality": version.record.modality or "admission",
        "tiles": _tiles(version),
        "sections": [(section, _drawn(section, version)) for section in render_sections(version.record)],
        "pictures": pictures and pictures.model_copy(update={"split": _SPLITS.get(pictures.split, pictures.split)}),
    }


def _tiles(version: ReportedVersion) -> list[tuple[str, str]]:
    splits = list_evaluations(version.record)
    if not splits:
        return []
    split, measured = splits[0]
    return [(f"{name}, {split}", format_figure(measured.get(metric))) for metric, name in _FIRST.items() if metric in measured]


def _drawn(section: Section, version: ReportedVersion) -> list[tuple[str, str]]:
    """The drawings that go with a section: what each shows, and its data URI."""
    if section.name == "made":
        curve = version.record.curve if isinstance(version.record, MemberRecord) else ()
        return [("Loss, validation AUROC and accuracy, epoch by epoch", plots.draw_training(curve))] if curve else []
    drawn = []
    for split, lines in reversed(version.curves.items()):
        on = f"on {_SPLITS.get(split, split)}"
        if section.name == "findings" and split == list(version.curves)[-1]:
            drawn.append((f"ROC of each finding against the rest, {on}", plots.draw_roc(lines.roc, f"ROC {on}")))
        if section.name == "calibration":
            drawn.append((f"Reliability {on}", plots.draw_reliability(lines.reliability_before, lines.reliability, f"Reliability {on}")))
        if section.name == "coverage":
            drawn.append((f"Risk against coverage {on}", plots.draw_coverage(lines.coverage, lines.chosen, f"Risk against coverage {on}")))
    return drawn


def _marked(text: str) -> Markup:
    """Escaped, with `**` and backticks as in a card."""
    safe = str(escape(text))
    for pattern, tag in _MARKS:
        safe = pattern.sub(tag, safe)
    return Markup(safe)
