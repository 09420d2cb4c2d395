"""From a report's JSON to its page."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from training.evaluation.caveats import evaluated_splits
from training.evaluation.checklist import fill_checklist
from training.evaluation.sections import Section, Table, bar, sections
from training.report import plots
from training.report.rulings import ruling
from training.rulings import ChallengerRuling

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
    "turned_away": "others turned away",
}

_SPLITS: Final = {"test": "test", "val": "validation"}

_MARKS: Final = ((re.compile(r"\*\*(.+?)\*\*"), r"<strong>\1</strong>"), (re.compile(r"`(.+?)`"), r"<code>\1</code>"))


def page(report: Mapping[str, Any]) -> str:
    """HTML that is well-formed XML, too, and holds every picture itself."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["marked"] = _marked
    environment.tests["table"] = lambda part: isinstance(part, Table)
    gate, versions = [ruling(ChallengerRuling(**entry)) for entry in report["gate"]], [_shown(entry) for entry in report["versions"]]
    return environment.get_template("page.html.j2").render(report=report, gate=gate, versions=versions)


def _shown(version: Mapping[str, Any]) -> dict[str, Any]:
    """What the template is given of one version."""
    facts, pictures = version["told"], version["pictures"]
    return {
        "version": version["version"],
        "kind": version["kind"],
        "modality": facts["modality"] or "admission",
        "tiles": _tiles(facts),
        "sections": [(section, _drawn(section, version)) for section in (*sections(facts), fill_checklist(facts))],
        "pictures": pictures and {**pictures, "split": _SPLITS.get(pictures["split"], pictures["split"])},
    }


def _tiles(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    splits = evaluated_splits(facts)
    if not splits:
        return []
    split, measured = splits[0]
    return [(f"{name}, {split}", bar(measured[metric])) for metric, name in _FIRST.items() if metric in measured]


def _drawn(section: Section, version: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The drawings that go with a section: what each shows, and its data URI."""
    curve = version["told"].get("curve")
    if section.name == "made" and curve:
        return [("Loss, validation AUROC and accuracy, epoch by epoch", plots.training(curve))]
    drawn = []
    for split, lines in reversed(version["curves"].items()):
        on = f"on {_SPLITS.get(split, split)}"
        if section.name == "findings" and split == list(version["curves"])[-1]:
            drawn.append((f"ROC of each finding against the rest, {on}", plots.roc(lines["roc"], f"ROC {on}")))
        if section.name == "calibration":
            drawn.append((f"Reliability {on}", plots.reliability(lines["reliability_before"], lines["reliability"], f"Reliability {on}")))
        if section.name == "coverage":
            drawn.append((f"Risk against coverage {on}", plots.coverage(lines["coverage"], lines["chosen"], f"Risk against coverage {on}")))
    return drawn


def _marked(text: str) -> Markup:
    """Escaped, with `**` and backticks as in a card."""
    safe = str(escape(text))
    for pattern, tag in _MARKS:
        safe = pattern.sub(tag, safe)
    return Markup(safe)
