"""How well a class is told without a look at the lungs: by size, format, border, source or bytes of a file.

Each is judged by cross-validation over groups, so that it is not praised for knowing a patient again.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.data.audit.image_statistics import ImageStatistics
from training.data.manifests import Row
from training.metrics.figures import auroc

_FOLDS: Final = 5
_FEWEST_GROUPS: Final = 2

Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.intp]
# (rows to learn from, whether each row is of the class, rows to judge) -> how much each of the latter looks like the class
Way = Callable[[Numbers, Flags, Numbers], Scores]


@dataclass(frozen=True)
class Separation:
    """How well one class is told from the others of its modality by one thing."""

    modality: str
    label: str
    by: str
    auroc: float
    z: float  # in standard errors above chance
    groups: int

    def __str__(self) -> str:
        return f"{self.modality}: {self.label} can be recognised by {self.by} alone, AUROC {self.auroc:.2f} ({self.groups} groups)"


def measure_separations(
    modality: str, labels: Sequence[str], rows: Sequence[Row], statistics: Sequence[ImageStatistics]
) -> Iterator[Separation]:
    """How well each class of `labels` (one a row) can be recognised by each feature. A class with too few groups is left out."""
    names = np.array(labels)
    groups = np.array([row.group for row in rows])
    ways = _ways(rows, statistics)
    classes = sorted(set(labels))
    for label in classes[:1] if len(classes) == 2 else classes:  # of two, one against the other says it all
        wanted = names == label
        inside, outside = len(set(groups[wanted])), len(set(groups[~wanted]))
        if min(inside, outside) < _FEWEST_GROUPS:
            continue
        folds = list(StratifiedGroupKFold(min(_FOLDS, inside, outside)).split(names, wanted, groups))
        for by, tried in ways.items():
            area = max(auroc(_crossed(way, wanted, folds), wanted) for way in tried)
            # The deviation of chance (Mann and Whitney 1947), counted in groups, since pictures of one are not independent.
            deviation = np.sqrt((inside + outside + 1) / (12 * inside * outside))
            yield Separation(modality, label, by, area, float((area - 0.5) / deviation), len(set(groups)))


def _ways(rows: Sequence[Row], statistics: Sequence[ImageStatistics]) -> dict[str, tuple[Way, ...]]:
    return {
        "size": (
            _by_regression(np.stack([measure.size for measure in statistics])),
            _by_frequency([f"{measure.columns}x{measure.rows}" for measure in statistics]),
        ),
        "format": (_by_frequency([measure.format for measure in statistics]),),
        "border": (_by_regression(np.stack([measure.border for measure in statistics])),),
        "source": (_by_frequency([row.origin for row in rows]),),
        "bytes": (_by_regression(np.stack([measure.length for measure in statistics])),),
        "size, border and bytes": (_by_regression(np.stack([measure.outside for measure in statistics])),),
    }


def _crossed(way: Way, wanted: Flags, folds: Sequence[tuple[Numbers, Numbers]]) -> Scores:
    """What each row scores when it was not learnt from."""
    scores = np.full(len(wanted), 0.5)
    for learnt, held_out in folds:
        if 0 < wanted[learnt].sum() < len(learnt):
            scores[held_out] = way(learnt, wanted, held_out)
    return scores


def _by_regression(features: npt.NDArray[np.float64]) -> Way:
    def score(learnt: Numbers, wanted: Flags, held_out: Numbers) -> Scores:
        varies = np.ptp(features[learnt], axis=0) > 0
        if not varies.any():
            return np.full(len(held_out), 0.5)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", solver="newton-cholesky"))
        model.fit(features[learnt][:, varies], wanted[learnt])
        return np.asarray(model.predict_proba(features[held_out][:, varies])[:, 1], np.float64)

    return score


def _by_frequency(names: Sequence[str]) -> Way:
    """The share of the class among pictures of the same name, drawn to the share among all as if one more had been seen."""

    def score(learnt: Numbers, wanted: Flags, held_out: Numbers) -> Scores:
        seen = Counter(names[row] for row in learnt)
        of_class = Counter(names[row] for row in learnt if wanted[row])
        share = wanted[learnt].mean()
        return np.array([(of_class[names[row]] + share) / (seen[names[row]] + 1) for row in held_out])

    return score
