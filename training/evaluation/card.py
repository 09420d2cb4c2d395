"""The card of a member or an ensemble: what it is, how it was made, what its figures are worth. Generated, never written by hand."""

import json
from collections.abc import Iterable
from typing import Any, Final

from lungline import RESEARCH_USE
from training.evaluation.caveats import CardData, evaluated_splits
from training.evaluation.checklist import fill_checklist
from training.evaluation.sections import Section, Table, sections

# What the metrics are called there: https://huggingface.co/metrics
_PUBLIC_NAMES: Final = {"macro_auroc": "roc_auc", "accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy", "brier": "brier_score"}


def card(facts: CardData, version: str) -> str:
    """Markdown with YAML in front, as Hugging Face reads it.

    Args:
        facts: `member.json`, or an ensemble's JSON with its modality, and its findings as `outputs`.
        version: of the member or the ensemble.
    """
    lines = [*_front(facts, version), f"# {version}", "", f"**{RESEARCH_USE}**", ""]
    for section in [*sections(facts), fill_checklist(facts)]:
        lines += _section(section)
    return "\n".join(lines).rstrip() + "\n"


def _section(section: Section) -> Iterable[str]:
    yield from (f"## {section.title}", "")
    for part in section.parts:
        if isinstance(part, Table):
            yield "| " + " | ".join(part.head) + " |"
            yield "|---" * len(part.head) + "|"
            yield from ("| " + " | ".join(row) + " |" for row in part.rows)
        else:
            yield part
        yield ""


def _front(facts: CardData, version: str) -> list[str]:
    """Front matter, https://huggingface.co/docs/hub/model-cards: JSON values, which are YAML, too."""
    tags = ["medical-imaging", "research-only", facts["modality"] or "admission", *facts.get("outputs", ())]
    if "architecture" in facts:
        tags.insert(0, facts["architecture"])
    front: dict[str, Any] = {
        "license": "other",
        "license_name": "research-only",
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": tags,
        "metrics": list(_PUBLIC_NAMES.values()),
    }
    results = [_result(split, measured) for split, measured in evaluated_splits(facts)] if facts["modality"] else []
    front["model-index"] = [{"name": version, "results": results}]
    return ["---", *(f"{name}: {json.dumps(value)}" for name, value in front.items()), "---", ""]


def _result(split: str, measured: CardData) -> dict[str, Any]:
    metrics = [
        {"type": public, "name": name.replace("_", " "), "value": measured[name]["value"]}
        for name, public in _PUBLIC_NAMES.items()
        if name in measured
    ]
    dataset = {"name": f"labelled scans, {split}", "type": "image-folder", "split": split}
    return {"task": {"type": "image-classification"}, "dataset": dataset, "metrics": metrics}
