"""The control of a recipe for the gate: trained on shuffled labels it must know nothing of the split `gate`."""

from pathlib import Path
from typing import Final

import numpy as np
from pydantic import ValidationError

from lungline.durable import replace_text
from models.records import Figure
from training.data.datasets import Example
from training.evaluation import controls
from training.fitting import base_weights
from training.fitting.training_sets import labelled
from training.members.train import Start
from training.metrics import figures
from training.metrics.figures import with_intervals
from training.predictions.measure import finding_rows
from training.predictions.predict import Predictions
from training.recipes import Recipe

_WANTED: Final = "gate"


def control(recipe: Recipe, start: Start, predictions: Predictions, folder: Path) -> Figure:
    """Macro AUROC of the least telling of several trainings on shuffled labels, with its interval; kept in `folder`, and made once.

    The least telling, since one training may by chance take a side that goes with the truth; but a way by which the truth leaks is there
    for all.
    """
    kept = folder / f".{recipe.name}.control.json"
    try:
        return Figure.model_validate_json(kept.read_bytes())
    except (OSError, ValidationError):
        pass
    load_base, _ = base_weights.loader(recipe.architecture, start.weights, start.weights_dir)
    data = predictions.data(recipe.modality)
    train, val, gate = (labelled(recipe, data, split, predictions) for split in ("train", "val", _WANTED))
    examples = data.split(_WANTED)
    rows = finding_rows(recipe.outputs, examples)
    found = []
    for seed in range(controls.SHUFFLES):
        votes = controls.shuffled_votes(recipe, train, val, gate, load_base, seed)[rows]
        found.append(_figure(votes, gate.outputs[rows], [examples[row] for row in rows]))
    least = min(found, key=lambda figure: figure.value if figure.low is None else figure.low)
    replace_text(kept, least.model_dump_json(exclude_unset=True))
    return least


def _figure(votes: figures.Votes, wanted: figures.Wanted, examples: list[Example]) -> Figure:
    groups = np.array([example.group for example in examples])
    figures_found = with_intervals(groups, lambda drawn: {"auroc": figures.macro_auroc(votes[drawn], wanted[drawn])})
    return figures_found.get("auroc", figures.alone(0.5))  # one finding alone tells nothing
