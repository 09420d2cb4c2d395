"""Tries a challenger as a worker would run it: whether it loads, whether its runtimes answer as the reference does, and how fast it is."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lungline.errors import ModelError
from lungline.findings import FINDINGS
from models import registry
from models.ensemble import Ensemble
from models.files import EnsembleFiles
from models.runtimes.choice import RuntimeChoice
from training.predictions.measure import SplitPredictions, finding_rows
from training.predictions.predict import Predictions

AGREE: Final = 1e-3  # by how much a runtime may move a probability
_TIMED: Final = 32  # scans a round
_ROUNDS: Final = 5

Inputs = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class ServingCheck:
    """What came of it."""

    fault: str | None
    speeds: tuple[float, ...] = ()  # challenger's scans a second over champion's, a round each


def check_serving(
    challenger: EnsembleFiles, champion: EnsembleFiles, predicted: SplitPredictions, predictions: Predictions, choice: RuntimeChoice
) -> ServingCheck:
    """Loads both, compares the challenger with what the reference says, and times both in turn.

    Args:
        challenger, champion: of one modality.
        predicted: what the reference runtime says of the split `gate` as the challenger.
        predictions: of the data.
        choice: of runtimes, as they serve here.

    Raises:
        ModelError: the champion's files are missing or damaged.
    """
    given = _inputs((challenger, champion), predictions)
    try:
        ours = registry.load_ensemble(challenger, choice)
        registry.try_out(ours)
        far = float(np.abs(_votes(ours, given) - predicted.votes).max())
    except ModelError as error:
        return ServingCheck(str(error))
    if not far <= AGREE:
        return ServingCheck(f"Its runtimes disagree with the reference by up to {far:.4f} on the gate's scans; {AGREE} is allowed.")
    theirs = registry.load_ensemble(champion, choice)
    few = {name: pictures[:_TIMED] for name, pictures in given.items()}
    for ensemble in (ours, theirs):
        ensemble.warm(_TIMED)
    return ServingCheck(None, tuple(_round(ours, theirs, few, number) for number in range(_ROUNDS)))


def _inputs(both: tuple[EnsembleFiles, ...], predictions: Predictions) -> Inputs:
    modality = both[0].modality
    assert modality is not None
    rows = finding_rows(FINDINGS[modality], predictions.data(modality).split("gate"))
    names = {place.member.preprocess for files in both for place in files.places}
    return {name: predictions.pictures(name, modality, "gate")[rows] for name in sorted(names)}


def _votes(ensemble: Ensemble, given: Inputs) -> npt.NDArray[np.float64]:
    findings = FINDINGS[ensemble.modality]
    judgements = ensemble.judge({name: given[name] for name in ensemble.preprocesses})
    return np.array([[judgement.probabilities[finding] for finding in findings] for judgement in judgements])


def _round(ours: Ensemble, theirs: Ensemble, given: Inputs, number: int) -> float:
    """How many times as fast ours is, by the clock or by the CPU's time, whichever says less: a clock tells what else the machine does,
    too, and CPU time nothing of a GPU."""
    order = (ours, theirs) if number % 2 else (theirs, ours)
    spent = {ensemble: _spent(ensemble, given) for ensemble in order}
    return min(before / after for before, after in zip(spent[theirs], spent[ours], strict=True))


def _spent(ensemble: Ensemble, given: Inputs) -> tuple[float, float]:
    began, used = time.perf_counter(), time.process_time()
    ensemble.judge({name: given[name] for name in ensemble.preprocesses})
    return time.perf_counter() - began, time.process_time() - used
