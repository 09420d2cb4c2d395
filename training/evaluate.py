"""Judges a member on pictures that it never saw: figures with intervals, within sources, beside baselines."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.admission import NEITHER
from training.datasets import Example
from training.figures import Votes, Wanted, accuracy, balanced_accuracy, first_auroc, macro_auroc, with_interval
from training.recipes import Recipe

# A source with fewer pictures of one side tells nothing.
_FEWEST = 3


def judged(recipe: Recipe, examples: Sequence[Example]) -> list[int]:
    """The rows that figures are about: labels that are outputs themselves.

    For CT these are covid19 and the same sources' non_covid; `cap` and `normal` come from sources without covid19 and flatter every figure.
    """
    return [row for row, example in enumerate(examples) if example.label in recipe.outputs]


def findings(recipe: Recipe, examples: Sequence[Example], votes: Votes, wanted: Wanted, margin: float) -> dict[str, Any]:
    """The figures of a member for findings.

    Args:
        recipe: gives the outputs, covid19 first.
        examples: what was judged, n of them.
        votes: calibrated probabilities (n, outputs).
        wanted: (n,), the right outputs.
        margin: two findings closer than this go to review.

    Returns:
        Numbers, names and dictionaries of them, ready for JSON.
    """
    groups = np.array([example.group for example in examples])
    sources = np.array([_source(example) for example in examples])
    ordered = np.sort(votes, axis=1)
    accepted = ordered[:, -1] - ordered[:, -2] >= margin
    figures: dict[str, Any] = {
        "images": len(examples),
        "groups": len(np.unique(groups)),
        "macro_auroc": with_interval(macro_auroc, votes, wanted, groups),
        f"{recipe.outputs[0]}_auroc": with_interval(first_auroc, votes, wanted, groups),
        "balanced_accuracy": with_interval(balanced_accuracy, votes, wanted, groups),
        "accuracy": with_interval(accuracy, votes, wanted, groups),
        "accepted_share": round(float(accepted.mean()), 4),
        "accepted_accuracy": round(accuracy(votes[accepted], wanted[accepted]), 4),
        "confusion": _confusion(recipe, votes, wanted),
        "within_source": {},
    }
    for source in np.unique(sources):
        here = sources == source
        if min(np.sum(here & (wanted == 0)), np.sum(here & (wanted != 0))) >= _FEWEST:
            figures["within_source"][str(source)] = {
                "images": int(here.sum()),
                "groups": len(np.unique(groups[here])),
                f"{recipe.outputs[0]}_auroc": with_interval(first_auroc, votes[here], wanted[here], groups[here]),
                "balanced_accuracy": with_interval(balanced_accuracy, votes[here], wanted[here], groups[here]),
                "accuracy": with_interval(accuracy, votes[here], wanted[here], groups[here]),
            }
    return figures


def beside(baselines: Mapping[str, Votes], wanted: Wanted) -> dict[str, dict[str, float]]:
    """The figures of baselines on the same pictures."""
    return {
        name: {
            "macro_auroc": round(macro_auroc(votes, wanted), 4),
            "balanced_accuracy": round(balanced_accuracy(votes, wanted), 4),
            "accuracy": round(accuracy(votes, wanted), 4),
        }
        for name, votes in baselines.items()
    }


def admission(recipe: Recipe, examples: Sequence[Example], votes: Votes, threshold: float) -> dict[str, Any]:
    """The figures of an admission network: what it keeps, turns away, and takes for the other modality, as shares."""
    labels = np.array([example.label for example in examples])
    kept = votes[:, recipe.outputs.index(NEITHER)] <= threshold
    real = [output for output in recipe.outputs if output != NEITHER]
    said = np.array(real)[votes[:, [recipe.outputs.index(output) for output in real]].argmax(axis=1)]
    figures: dict[str, Any] = {"images": len(examples), "groups": len({example.group for example in examples})}
    for output in real:
        here = labels == output
        figures[output] = {"images": int(here.sum()), "kept": round(float(kept[here].mean()), 4)}
    scans = labels != NEITHER
    figures["kept"] = round(float(kept[scans].mean()), 4)
    figures["right_modality_of_kept"] = round(float((said == labels)[scans & kept].mean()), 4)
    figures[NEITHER] = {"images": int((labels == NEITHER).sum()), "turned_away": round(float((~kept[labels == NEITHER]).mean()), 4)}
    return figures


def _confusion(recipe: Recipe, votes: Votes, wanted: Wanted) -> dict[str, dict[str, int]]:
    """label -> answer -> pictures."""
    said = votes.argmax(axis=1)
    return {
        label: {answer: int(np.sum((wanted == i) & (said == j))) for j, answer in enumerate(recipe.outputs)}
        for i, label in enumerate(recipe.outputs)
    }


def _source(example: Example) -> str:
    """A source by its name alone: its copies and forks are one source."""
    return example.source.split(" (")[0]
