"""The card of a member or an ensemble: what it is, how it was made, what its figures are worth. Its words stand in cards/*.md.j2.

A block of a template is a section; reports show the same sections (training/report/page.py).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lungline import RESEARCH_USE
from lungline.findings import FINDINGS, Modality
from models.records import EnsembleRecord, Evaluation, Figure, MemberRecord
from training.metrics.figures import RESAMPLES, SHUFFLED_TRAININGS
from training.metrics.reliability import BINS, COVERAGES
from training.predictions.measure import PREVALENCE

_FOLDER: Final = Path(__file__).parent / "cards"

# What the metrics are called there: https://huggingface.co/metrics
_PUBLIC_NAMES: Final = {"macro_auroc": "roc_auc", "accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy", "brier": "brier_score"}

# On fewer pictures or groups an interval is as wide as the scale.
_FEW_IMAGES: Final = 50
_FEW_GROUPS: Final = 20

_BLANK_LINES: Final = re.compile(r"\n{3,}")


class DescribedEnsemble(EnsembleRecord):
    """An ensemble's JSON, with what its file does not say of itself."""

    name: str
    modality: Modality | None
    outputs: tuple[str, ...]  # its modality's findings
    limit: int | None = None  # a member is a trial, and so is the ensemble


@dataclass(frozen=True)
class CardTable:
    """A head and rows of cells; `**` around a cell makes it stand out."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """Sentences and tables about one thing; `name` is that of its block in the template."""

    name: str
    title: str
    parts: tuple[str | CardTable, ...]


def render_card(record: MemberRecord | DescribedEnsemble, version: str) -> str:
    """Markdown with YAML in front, as Hugging Face reads it; `version`: of the member or the ensemble."""
    values = {**_values(record), "version": version, "front": _front(record, version)}
    return _tidy(_environment().get_template(_template(record)).render(values)) + "\n"


def render_sections(record: MemberRecord | DescribedEnsemble) -> list[Section]:
    """The sections of the card, in order; a block that has nothing to say is left out."""
    template = _environment().get_template(_template(record))
    context = template.new_context(_values(record))
    texts = {name: _tidy("".join(block(context))) for name, block in template.blocks.items()}
    return [_section(name, text) for name, text in texts.items() if text]


def list_evaluations(record: MemberRecord | DescribedEnsemble) -> list[tuple[str, Evaluation]]:
    """The splits that it was evaluated on, as cards call them; the first is what counts."""
    named = (("test", record.figures), ("validation", record.validation))
    return [(split, evaluation) for split, evaluation in named if evaluation is not None]


def format_figure(figure: Figure | None) -> str:
    """A figure with its interval; nothing where it was not measured."""
    return figure.text() if figure else ""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"bar": format_figure, "three": lambda value: f"{value:.3f}"}
    environment.globals |= {
        "research_use": RESEARCH_USE,
        "resamples": RESAMPLES,
        "shuffles": SHUFFLED_TRAININGS,
        "bins": BINS,
        "coverages": COVERAGES,
        "prevalence": PREVALENCE,
        "few_images": _FEW_IMAGES,
        "few_groups": _FEW_GROUPS,
    }
    environment.globals["parts"] = environment.get_template("parts.md.j2").module
    return environment


def _template(record: MemberRecord | DescribedEnsemble) -> str:
    return "member.md.j2" if isinstance(record, MemberRecord) else "ensemble.md.j2"


def _values(record: MemberRecord | DescribedEnsemble) -> dict[str, object]:
    splits = list_evaluations(record)
    return {
        "record": record,
        "splits": splits,
        "findings": FINDINGS[record.modality] if record.modality else (),
        "sources": sorted({source for _, measured in splits for source in measured.within_source or {}}),
    }


def _tidy(text: str) -> str:
    return _BLANK_LINES.sub("\n\n", text).strip()


def _section(name: str, text: str) -> Section:
    title, *parts = text.split("\n\n")
    return Section(name, title.removeprefix("## "), tuple(_table(part) if part.startswith("|") else part for part in parts))


def _table(part: str) -> CardTable:
    head, _, *rows = (tuple(cell.strip() for cell in line[1:-1].split(" | ")) for line in part.splitlines())
    return CardTable(head, tuple(rows))


def _front(record: MemberRecord | DescribedEnsemble, version: str) -> Mapping[str, str]:
    """Front matter, https://huggingface.co/docs/hub/model-cards: JSON values, which are YAML, too."""
    tags = ["medical-imaging", "research-only", record.modality or "admission", *record.outputs]
    if isinstance(record, MemberRecord):
        tags.insert(0, record.architecture)
    results = [_result(split, measured) for split, measured in list_evaluations(record)] if record.modality else []
    front = {
        "license": "other",
        "license_name": "research-only",
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": tags,
        "metrics": list(_PUBLIC_NAMES.values()),
        "model-index": [{"name": version, "results": results}],
    }
    return {name: json.dumps(value) for name, value in front.items()}


def _result(split: str, measured: Evaluation) -> dict[str, object]:
    metrics = [
        {"type": public, "name": name.replace("_", " "), "value": figure.value}
        for name, public in _PUBLIC_NAMES.items()
        if (figure := measured.get(name))
    ]
    dataset = {"name": f"labelled scans, {split}", "type": "image-folder", "split": split}
    return {"task": {"type": "image-classification"}, "dataset": dataset, "metrics": metrics}
