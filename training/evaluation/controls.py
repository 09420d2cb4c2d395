"""Negative controls: what a network answers where nothing can be known. What it still knows then, it knows from somewhere else."""

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lungline.findings import Modality
from models.backend import keras
from models.calibration import probabilities
from models.lungs import find_lungs
from models.preprocess import Pixels
from models.runtimes.keras import KerasRuntime
from training.data.examples import Labelled, example_weights
from training.fitting.checkpoint import Checkpoint
from training.fitting.loop import fit
from training.metrics.figures import SHUFFLED_TRAININGS, Votes
from training.recipes import Recipe

# Of a frontal chest film, where lungs are: shares of its height and width. As Maguolo & Nanni (Information Fusion 2021,
# https://arxiv.org/abs/2004.12823) blacked out the centre.
_FILM_ROWS: Final = (0.12, 0.88)
_FILM_COLUMNS: Final = (0.08, 0.92)

# So many epochs are enough to learn something from labels that are right; from shuffled ones nothing must be learnt. One training may by
# chance take a side that goes with the truth (bright pictures, say), so several are made, each on another order.
_SHUFFLED_EPOCHS: Final = 3
SHUFFLES: Final = SHUFFLED_TRAININGS

# A source with fewer pictures of a class on either side tells nothing.
_FEWEST: Final = 5


def black_out_lungs(modality: Modality, pixels: Pixels) -> Pixels:
    """The picture with a black box over its lungs: found in a CT slice, at a fixed place in a film."""
    rows, columns = pixels.shape
    if modality is Modality.CT:
        top, bottom, left, right = find_lungs(pixels).box
    else:
        top, bottom = (round(share * rows) for share in _FILM_ROWS)
        left, right = (round(share * columns) for share in _FILM_COLUMNS)
    black = pixels.copy()
    cv2.rectangle(black, (left, top), (right - 1, bottom - 1), 0.0, -1)
    return black


def measure_source_in_features(
    train: npt.NDArray[np.float32],
    train_sources: npt.NDArray[np.str_],
    test: npt.NDArray[np.float32],
    test_sources: npt.NDArray[np.str_],
) -> float:
    """How well features of one class tell where a picture comes from: macro one-vs-rest AUROC of a logistic regression; .5 is chance.

    NaN where fewer than two sources have five pictures on both sides.
    """
    known = [
        source for source in np.unique(train_sources) if min(np.sum(train_sources == source), np.sum(test_sources == source)) >= _FEWEST
    ]
    if len(known) < 2:
        return float("nan")
    learnt, asked = np.isin(train_sources, known), np.isin(test_sources, known)
    # Where pictures are fewer than features, their main axes hold all that a penalised regression can use: the same answer, far sooner.
    axes = [PCA(svd_solver="full")] if learnt.sum() < train.shape[1] else []
    model = make_pipeline(StandardScaler(), *axes, LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced"))
    model.fit(train[learnt], train_sources[learnt])
    said = model.predict_proba(test[asked])
    truth = test_sources[asked]
    return float(np.mean([roc_auc_score(truth == source, said[:, column]) for column, source in enumerate(model.classes_)]))


def shuffled_votes(
    recipe: Recipe, train: Labelled, val: Labelled, test: Labelled, load_base: Callable[[keras.Model], None] | None, seed: int
) -> Votes:
    """What a network answers to `test`, (n, outputs), that was trained by `recipe` on shuffled labels: figures must be at chance.

    All that the recipe learns from is shuffled: within labels or sources, something of the truth would stay. The labels that choose the
    epoch are, too: right ones would choose the luckiest. `seed`: of the order.
    """
    rng = np.random.default_rng(seed)
    used = example_weights(recipe, train) > 0  # the others would count once their labels are wrong
    learnt = {field: getattr(train, field)[used] for field in ("pictures", "labels", "outputs", "sources", "groups")}
    wrong_train = dataclasses.replace(train, **learnt | {"outputs": rng.permutation(learnt["outputs"])}, votes=None)
    counted = np.isin(val.labels, recipe.outputs)
    outputs = val.outputs.copy()
    outputs[counted] = rng.permutation(outputs[counted])
    wrong_val = dataclasses.replace(val, outputs=outputs)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder) / "shuffled.npz", "")
        epochs = min(_SHUFFLED_EPOCHS, recipe.epochs)
        fitted = fit(recipe, wrong_train, wrong_val, seed=seed, epochs=epochs, load_base=load_base, checkpoint=checkpoint)
    return probabilities(KerasRuntime(fitted.network).run(test.pictures), 1.0)
