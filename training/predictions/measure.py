"""Judges votes on pictures that no training saw: figures with intervals, within sources; what admission keeps.

What is measured on a split stands in `member.json` and `ensembles/<name>.json` (under `validation` for val, `figures` for test), and so in
the view `model_quality`; models/records.py says in which shape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.admission import NEITHER
from models.records import Evaluation, Figure, Metrics
from training.data.datasets import Example
from training.metrics import figures, reliability
from training.metrics.figures import Rows, Votes, Wanted, alone, with_intervals

# A source with fewer pictures of one side tells nothing.
_FEWEST: Final = 3

# Of covid19 among those who are scanned, for a positive predictive value beside that at the data's own prevalence.
PREVALENCE: Final = 0.1


@dataclass(frozen=True)
class SplitPredictions:
    """One split as a member or an ensemble judged it."""

    data: str  # test or val
    examples: Sequence[Example]
    findings: tuple[str, ...]  # covid19 first
    wanted: Wanted
    votes: Votes  # calibrated
    uncalibrated: Votes  # the same at temperature 1
    accepted: npt.NDArray[np.bool_]
    disagreement: npt.NDArray[np.float64]

    @property
    def groups(self) -> npt.NDArray[np.str_]:
        """(n,), what belongs together."""
        return np.array([example.group for example in self.examples])

    @property
    def sources(self) -> npt.NDArray[np.str_]:
        """(n,), where each comes from."""
        return np.array([example.origin for example in self.examples])

    def confusion(self) -> dict[str, dict[str, int]]:
        """label -> answer -> pictures."""
        return figures.confusion(self.votes, self.wanted, self.findings)


def finding_rows(findings: Sequence[str], examples: Sequence[Example]) -> list[int]:
    """The rows that figures are about: labels that are findings themselves.

    For CT these are covid19 and the same sources' non_covid; `cap` and `normal` come from sources without covid19 and flatter every figure.
    """
    return [number for number, example in enumerate(examples) if example.label in findings]


def findings_figures(predicted: SplitPredictions) -> dict[str, Figure]:
    """All figures of one split:

    - macro_auroc, covid19_auroc, balanced_accuracy, accuracy, brier; a finding's sensitivity, specificity, precision (at the data's
      prevalence) and f1; covid19_precision_at_10 (at a prevalence of 10 %); accepted_share, accepted_accuracy
    - brier_before and ece_before (at temperature 1), ece, ece_null (mean and 95 % of what perfect calibration would show);
      accuracy_at_coverage_50 … _100; disagreement
    """
    measured = with_intervals(predicted.groups, lambda drawn: _figures(predicted, drawn))
    measured |= {
        "brier_before": alone(figures.brier(predicted.uncalibrated, predicted.wanted)),
        "ece_before": alone(reliability.ece(predicted.uncalibrated, predicted.wanted)),
        "ece": alone(reliability.ece(predicted.votes, predicted.wanted)),
        "ece_null": reliability.ece_null(predicted.votes),
        "disagreement": alone(float(predicted.disagreement.mean())),
    }
    for percent in reliability.COVERAGES:
        measured[f"accuracy_at_coverage_{percent}"] = alone(reliability.covered_accuracy(predicted.votes, predicted.wanted, percent / 100))
    return measured


def within_sources(predicted: SplitPredictions) -> dict[str, Metrics]:
    """Figures within each source that holds two findings, at least three scans of each: macro_auroc over its findings, covid19_auroc where
    it holds covid19, balanced_accuracy, accuracy, covid19_sensitivity, covid19_specificity."""
    by_source = {}
    for source in contrasts(predicted):
        here = np.flatnonzero(predicted.sources == source)
        groups = predicted.groups[here]
        within = with_intervals(groups, lambda drawn, here=here: _source_figures(predicted, here[drawn], predicted.wanted[here]))  # type: ignore[misc]
        by_source[source] = Metrics.of(within, **counts(groups))
    return by_source


def contrasts(predicted: SplitPredictions) -> list[str]:
    """The sources that hold at least two findings."""
    sources = predicted.sources
    found = {str(source): np.bincount(predicted.wanted[sources == source], minlength=2) for source in np.unique(sources)}
    return [source for source, count in found.items() if np.sum(count >= _FEWEST) > 1]


def beside(predicted: SplitPredictions, rivals: Mapping[str, Votes]) -> dict[str, Metrics]:
    """Baselines on the same pictures, by their names; within sources, too."""
    by_rival = {}
    first = predicted.findings[0]
    for rival, votes in rivals.items():
        within = {}
        for source in contrasts(predicted):
            here = predicted.sources == source
            votes_here, wanted = votes[here], predicted.wanted[here]
            measured = {
                "macro_auroc": figures.occurring_auroc(votes_here, wanted),
                f"{first}_auroc": figures.first_auroc(votes_here, wanted),
                "balanced_accuracy": figures.balanced_accuracy(votes_here, wanted),
                "accuracy": figures.accuracy(votes_here, wanted),
            }
            within[source] = Metrics.of(_known(measured), **counts(predicted.groups[here]))
        measured = {
            "macro_auroc": figures.macro_auroc(votes, predicted.wanted),
            "balanced_accuracy": figures.balanced_accuracy(votes, predicted.wanted),
            "accuracy": figures.accuracy(votes, predicted.wanted),
        }
        by_rival[rival] = Metrics.of(_known(measured), within_source=within)
    return by_rival


def _known(measured: Mapping[str, float]) -> dict[str, Figure]:
    """Figures without intervals, but for those that are not defined."""
    return {name: alone(value) for name, value in measured.items() if np.isfinite(value)}


def admission_figures(examples: Sequence[Example], decided: Sequence[str | None]) -> Evaluation:
    """What admission keeps and turns away, as shares: kept, xray_kept, ct_kept, right_modality (of what is kept), turned_away.

    `within_source` holds turned_away for each kind of stranger.

    Args:
        examples: labelled xray, ct and neither.
        decided: xray or ct, or None for what was turned away.
    """
    labels = np.array([example.label for example in examples])
    said = np.array([decision or NEITHER for decision in decided])
    groups = np.array([example.group for example in examples])
    sources = np.array([example.source for example in examples])
    scans, negatives, kept = labels != NEITHER, labels == NEITHER, said != NEITHER

    def share(chosen: npt.NDArray[np.bool_], right: npt.NDArray[np.bool_]) -> Figure | None:
        here = np.flatnonzero(chosen)
        if not len(here):
            return None
        figure = with_intervals(groups[here], lambda drawn: {"share": float(right[here[drawn]].mean())})["share"]
        return figure.model_copy(update=counts(groups[here]))

    def metrics(shares: Mapping[str, Figure | None]) -> dict[str, Figure]:
        return {name: figure for name, figure in shares.items() if figure}

    shares = {
        "kept": share(scans, kept),
        "xray_kept": share(labels == "xray", kept),
        "ct_kept": share(labels == "ct", kept),
        "right_modality": share(scans & kept, said == labels),
        "turned_away": share(negatives, ~kept),
    }
    within = {str(kind): Metrics.of(metrics({"turned_away": share(sources == kind, ~kept)})) for kind in np.unique(sources[negatives])}
    return Evaluation.of(metrics(shares), **counts(groups), within_source=within)


def counts(groups: npt.NDArray[np.str_]) -> dict[str, int]:
    """What figures are about: how many images, of how many groups."""
    return {"images": len(groups), "groups": len(np.unique(groups))}


def _figures(predicted: SplitPredictions, drawn: Rows) -> dict[str, float]:
    votes, wanted, accepted = predicted.votes[drawn], predicted.wanted[drawn], predicted.accepted[drawn]
    first = predicted.findings[0]
    measured = {
        "macro_auroc": figures.macro_auroc(votes, wanted),
        f"{first}_auroc": figures.first_auroc(votes, wanted),
        "balanced_accuracy": figures.balanced_accuracy(votes, wanted, predicted.wanted),
        "accuracy": figures.accuracy(votes, wanted),
        "brier": figures.brier(votes, wanted),
        "accepted_share": float(accepted.mean()),
        "accepted_accuracy": figures.accuracy(votes[accepted], wanted[accepted]) if accepted.any() else float("nan"),
    }
    for output, finding in enumerate(predicted.findings):
        measured |= {f"{finding}_{name}": value for name, value in figures.of_output(votes, wanted, output).items()}
    measured[f"{first}_precision_at_10"] = figures.precision_at(
        PREVALENCE, measured[f"{first}_sensitivity"], measured[f"{first}_specificity"]
    )
    return measured


def _source_figures(predicted: SplitPredictions, drawn: Rows, whole: Wanted) -> dict[str, float]:
    votes, wanted = predicted.votes[drawn], predicted.wanted[drawn]
    first = predicted.findings[0]
    of_first = figures.of_output(votes, wanted, 0)
    return {
        "macro_auroc": figures.occurring_auroc(votes, wanted, whole),
        f"{first}_auroc": figures.first_auroc(votes, wanted),
        "balanced_accuracy": figures.balanced_accuracy(votes, wanted, whole),
        "accuracy": figures.accuracy(votes, wanted),
        f"{first}_sensitivity": of_first["sensitivity"],
        f"{first}_specificity": of_first["specificity"],
    }
