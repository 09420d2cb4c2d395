"""What can be answered without looking at the lungs. A member's figures mean something only beside these."""

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.preprocess import Pixels
from training.data.audit.image_statistics import measure
from training.data.datasets import Example
from training.metrics.figures import Votes, Wanted

THUMBNAIL_SIDE = 32


def majority(train: Wanted, test_size: int, outputs: int) -> Votes:
    """Always the commonest output of training."""
    return np.tile(np.eye(outputs)[np.bincount(train, minlength=outputs).argmax()], (test_size, 1))


def source_rule(train: Sequence[Example], wanted: Wanted, test: Sequence[Example], outputs: int) -> Votes:
    """For each picture the distribution of outputs that its source had in training: all that the source alone can tell."""
    overall = np.bincount(wanted, minlength=outputs) / len(wanted)
    by_source: dict[str, Counter[int]] = {}
    for example, output in zip(train, wanted.tolist(), strict=True):
        by_source.setdefault(example.source, Counter())[output] += 1
    votes = [
        [by_source[example.source][k] / by_source[example.source].total() for k in range(outputs)]
        if example.source in by_source
        else overall.tolist()
        for example in test
    ]
    return np.array(votes, np.float64)


def blind(train: Sequence[Example], wanted: Wanted, test: Sequence[Example]) -> Votes:
    """Logistic regression on size, aspect, bytes and border of the files, as the audit of a data set sees them."""
    seen, asked = (np.stack([measure(example.path.read_bytes()).outside for example in examples]) for examples in (train, test))
    return _regress(seen, wanted, asked)


def thumbnails(train: Pixels, wanted: Wanted, test: Pixels) -> Votes:
    """Logistic regression on 32x32 thumbnails of preprocessed pictures, (n, side, side, 1)."""
    return _regress(_small(train), wanted, _small(test))


def _regress(train: npt.NDArray[np.float64], wanted: Wanted, test: npt.NDArray[np.float64]) -> Votes:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced"))
    return np.asarray(model.fit(train, wanted).predict_proba(test), np.float64)


def _small(pictures: Pixels) -> npt.NDArray[np.float64]:
    side = THUMBNAIL_SIDE
    return np.stack([cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).ravel() for picture in pictures]).astype(np.float64)
