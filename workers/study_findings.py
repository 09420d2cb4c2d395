"""From its series to what a study shows: its most suspicious series or view. Pure: all that it needs is given to it."""

from collections.abc import Sequence

from db.assessments import AssessedSeries, StudyAssessment
from db.tables import Priority, Stage
from workers.series_findings import show_one_part, suspicion


def assess(series: Sequence[AssessedSeries]) -> StudyAssessment:
    """What a study shows by the current assessments of its series, one at least, in the order in which they came."""
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
        scans=sum(entry.assessment.slices for entry in series),
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
    if series.modality != other.modality or here["from_mm"] is None or there["from_mm"] is None:
        return False
    return show_one_part((here["from_mm"], here["to_mm"]), (there["from_mm"], there["to_mm"]))
