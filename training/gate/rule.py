"""The gate: whether a challenger may take the champion's place. One rule, on one set of scans.

Challenger and champion answer the same scans of the split `gate`. With some hundred of them a point estimate means little: of two networks
that are equally good, most strict rules refuse one two times in three. So each clause is judged by the 95 % interval of the difference, by
bootstrap over groups, both drawn together. A difference above zero is for the challenger, whatever is measured.

The challenger did not learn from these scans. Nor did the champion, as long as the data keep their splits; where another manifest takes the
place of the one that it learnt from, it may know some, which flatters it, and the members of it that the challenger keeps.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.records import Figure
from training.metrics import figures
from training.metrics.figures import Rows, with_intervals
from training.predictions.measure import SplitPredictions
from training.rulings import Clause, ClauseOutcome, Decision, Ruling

MACRO_AUROC: Final = "macro_auroc"
SENSITIVITY: Final = "covid19_sensitivity"
BRIER: Final = "brier"
IN_SOURCE: Final = "balanced_accuracy"
LOWER_BOUND: Final = "macro_auroc_lower_bound"
SHUFFLED: Final = "shuffled_labels"
FILES: Final = "files_and_engines"
BETTER: Final = "better"
NEWER: Final = "newer_labels"
FASTER: Final = "faster"

SOURCE_IMAGES: Final = 30  # a source with fewer scans tells nothing by itself
MOST_FALL: Final = 0.05  # of the lower bound of macro AUROC
FASTER_BY: Final = 1.1  # in every round of timing: two equal networks differ by less on a machine that does something else besides


@dataclass(frozen=True)
class Besides:
    """What the rule asks beside the answers to the scans."""

    shuffled: Mapping[str, Figure]  # recipe -> macro AUROC of the least telling of its trainings on shuffled labels
    fault: str | None  # why the challenger's files do not load, or its runtimes disagree
    newer_labels: bool  # than those that the champion learnt from
    speeds: Sequence[float]  # scans a second, challenger's over champion's, a round of timing each


def judge(champion: SplitPredictions, challenger: SplitPredictions | None, besides: Besides, uses: int) -> Ruling:
    """Judges a challenger against the champion.

    Args:
        champion: what the champion says of the scans.
        challenger: what the challenger says of the same scans, in the same order; None where its files do not load.
        besides: what else is asked.
        uses: of these scans so far, this one included.

    Raises:
        ValueError: the two did not judge the same scans.
    """
    clauses = [_files(besides.fault)]
    if challenger is None:
        return Ruling(Decision.REFUSED, besides.fault or "its files do not load", tuple(clauses), uses)
    if champion.examples != challenger.examples or not np.array_equal(champion.wanted, challenger.wanted):
        raise ValueError("challenger and champion must be evaluated on the same scans")
    whole = _whole(champion, challenger)
    clauses += [_harm(champion, challenger, name, whole) for name in (MACRO_AUROC, SENSITIVITY, BRIER)]
    clauses += [_lower_bound(champion, whole), *_in_sources(champion, challenger)]
    clauses += [_shuffled(recipe, least) for recipe, least in besides.shuffled.items()]
    reasons = [
        _reason(BETTER, (low := _low(whole.get(MACRO_AUROC))) is not None and low > 0, whole.get(MACRO_AUROC)),
        _reason(NEWER, besides.newer_labels, None),
        _faster(besides.speeds),
    ]
    return Ruling(*_decide(clauses, reasons), (*clauses, *reasons), uses)


def _decide(harms: Sequence[Clause], reasons: Sequence[Clause]) -> tuple[Decision, str]:
    failed = [clause for clause in harms if clause.outcome is ClauseOutcome.FAILED]
    if failed:
        return Decision.REFUSED, "; ".join(clause.sentence() for clause in failed)
    if any(clause.outcome is ClauseOutcome.UNDEFINED and clause.name in (MACRO_AUROC, SENSITIVITY, LOWER_BOUND) for clause in harms):
        return Decision.HELD, "the gate's scans do not have all findings, so nothing can be said"
    given = [clause for clause in reasons if clause.outcome is ClauseOutcome.GIVEN]
    if not given:
        return Decision.HELD, "no harm was found, but no reason to change either: not better, no newer labels, not faster"
    return Decision.PASSED, "no harm was found; " + ", ".join(clause.name.replace("_", " ") for clause in given)


def _whole(champion: SplitPredictions, challenger: SplitPredictions) -> dict[str, Figure]:
    """The differences over all scans, and each one's own macro AUROC."""

    def measure(drawn: Rows) -> dict[str, float]:
        before, after = (_measures(predicted, drawn) for predicted in (champion, challenger))
        differences = {name: after[name] - before[name] for name in (MACRO_AUROC, SENSITIVITY)}
        differences[BRIER] = before[BRIER] - after[BRIER]  # the smaller, the better
        return differences | {"champion": before[MACRO_AUROC], "challenger": after[MACRO_AUROC]}

    return with_intervals(champion.groups, measure)


def _measures(predicted: SplitPredictions, drawn: Rows) -> dict[str, float]:
    votes, wanted = predicted.votes[drawn], predicted.wanted[drawn]
    return {
        MACRO_AUROC: figures.macro_auroc(votes, wanted),
        # An ensemble's threshold for covid19 is that no other finding is more probable: by that a verdict says it.
        SENSITIVITY: figures.of_output(votes, wanted, 0)["sensitivity"],
        BRIER: figures.brier(votes, wanted),
    }


def _harm(champion: SplitPredictions, challenger: SplitPredictions, name: str, whole: Mapping[str, Figure]) -> Clause:
    rows = np.arange(len(champion.wanted))
    values = _measures(champion, rows)[name], _measures(challenger, rows)[name]
    return _clause(name, None, values, whole.get(name), champion.groups)


def _in_sources(champion: SplitPredictions, challenger: SplitPredictions) -> Iterator[Clause]:
    """Harm within each source that has scans enough: the recall of its findings, on the mean."""
    for source in np.unique(champion.sources):
        here = np.flatnonzero(champion.sources == source)
        if len(here) < SOURCE_IMAGES:
            continue
        wanted = champion.wanted[here]

        def of(predicted: SplitPredictions, drawn: Rows, here: Rows = here, wanted: Rows = wanted) -> float:
            return figures.balanced_accuracy(predicted.votes[here[drawn]], wanted[drawn], wanted)

        def gain(drawn: Rows, of: Callable[[SplitPredictions, Rows], float] = of) -> dict[str, float]:
            return {IN_SOURCE: of(challenger, drawn) - of(champion, drawn)}

        groups, rows = champion.groups[here], np.arange(len(here))
        values = of(champion, rows), of(challenger, rows)
        yield _clause(IN_SOURCE, str(source), values, with_intervals(groups, gain).get(IN_SOURCE), groups)


def _clause(name: str, source: str | None, values: tuple[float, float], difference: Figure | None, groups: npt.NDArray[np.str_]) -> Clause:
    counts = {"images": len(groups), "groups": len(np.unique(groups))}
    if difference is None or difference.high is None:
        return Clause(name, ClauseOutcome.UNDEFINED, source, **counts)
    outcome = ClauseOutcome.FAILED if difference.high < 0 else ClauseOutcome.PASSED
    return Clause(name, outcome, source, *values, difference.value, difference.low, difference.high, **counts)


def _lower_bound(champion: SplitPredictions, whole: Mapping[str, Figure]) -> Clause:
    """Each one's own lower bound: where scans are few, that of the difference would refuse every other of two equals."""
    before, after = (_low(whole.get(name)) for name in ("champion", "challenger"))
    if before is None or after is None:
        return Clause(LOWER_BOUND, ClauseOutcome.UNDEFINED)
    fell = after - before < -MOST_FALL
    outcome = ClauseOutcome.FAILED if fell else ClauseOutcome.PASSED
    counts = {"images": len(champion.groups), "groups": len(np.unique(champion.groups))}
    return Clause(LOWER_BOUND, outcome, None, before, after, after - before, **counts)


def _shuffled(recipe: str, least: Figure) -> Clause:
    """Trained on shuffled labels, each of some networks still knows the truth: it reaches them by another way."""
    leaks = least.low is not None and least.low > 0.5
    return Clause(
        SHUFFLED, ClauseOutcome.FAILED if leaks else ClauseOutcome.PASSED, recipe, None, least.value, low=least.low, high=least.high
    )


def _files(fault: str | None) -> Clause:
    return Clause(FILES, ClauseOutcome.FAILED if fault else ClauseOutcome.PASSED)


def _reason(name: str, given: bool, figure: Figure | None) -> Clause:
    outcome = ClauseOutcome.GIVEN if given else ClauseOutcome.NOT_GIVEN
    if figure is None:
        return Clause(name, outcome)
    return Clause(name, outcome, difference=figure.value, low=figure.low, high=figure.high)


def _faster(speeds: Sequence[float]) -> Clause:
    if not speeds:
        return Clause(FASTER, ClauseOutcome.NOT_GIVEN)
    given = min(speeds) > FASTER_BY
    middle = float(np.median(speeds))
    return Clause(FASTER, ClauseOutcome.GIVEN if given else ClauseOutcome.NOT_GIVEN, challenger=middle, low=min(speeds), high=max(speeds))


def _low(figure: Figure | None) -> float | None:
    return figure.low if figure else None
