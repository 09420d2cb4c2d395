"""From its series to what a study shows: its most suspicious series or view. Pure: all that it needs is given to it."""

from collections.abc import Sequence
from typing import Final

from db.assessments import AssessedSeries, StudyAssessment
from db.tables import Priority, Stage
from workers.series_findings import suspicion

_OVERLAP: Final = 0.5  # of the shorter series' length: then two show the same part of the body


def assess(series: Sequence[AssessedSeries], scans: int) -> StudyAssessment:
    """What a study shows by the current assessments of its series, one at least.

    Args:
        series: those that were assessed, in the order in which they came.
        scans: of the study, all of them.
    """
    counted = leave_out_reconstructions(series)
    worst = min(counted, key=lambda entry: (suspicion(entry.assessment.finding, entry.assessment.probability), entry.series_id)).assessment
    is_final = all(entry.assessment.stage is Stage.FINAL and not entry.is_open for entry in series)
    return StudyAssessment(
        finding=worst.finding,
        probability=worst.probability,
        status=worst.status,
        stage=Stage.FINAL if is_final else Stage.PROVISIONAL,
        reason=worst.reason,
        priority=Priority.STAT if any(entry.assessment.priority is Priority.STAT for entry in series) else Priority.SCANS,
        first_received_at=min(entry.assessment.first_received_at for entry in series),
        modalities=sorted({entry.modality for entry in series if entry.modality}),
        series=len(series),
        scans=scans,
    )


def leave_out_reconstructions(series: Sequence[AssessedSeries]) -> list[AssessedSeries]:
    """Of several series that were reconstructed from one acquisition, the one with the most slices that count; the first of equals."""
    kept: list[AssessedSeries] = []
    for entry in sorted(series, key=lambda entry: (-entry.assessment.slices_used, entry.series_id)):
        if not any(is_of_one_acquisition(entry, other) for other in kept):
            kept.append(entry)
    return kept


def is_of_one_acquisition(series: AssessedSeries, other: AssessedSeries) -> bool:
    """Whether both have the same acquisition number and show the same part of the body."""
    here, there = series.assessment.inputs, other.assessment.inputs
    if here.get("acquisition") is None or here.get("acquisition") != there.get("acquisition"):
        return False
    places = here.get("from_mm"), here.get("to_mm"), there.get("from_mm"), there.get("to_mm")
    if series.modality != other.modality or any(place is None for place in places):
        return False
    low, high = max(here["from_mm"], there["from_mm"]), min(here["to_mm"], there["to_mm"])
    shorter = min(here["to_mm"] - here["from_mm"], there["to_mm"] - there["from_mm"])
    return bool(high - low >= _OVERLAP * shorter)
