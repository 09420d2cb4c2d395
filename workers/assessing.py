"""Assesses a series once no more slices come: a job whose answer is committed with its end, and with that of its study."""

from sqlalchemy import Connection

from db import assessments, jobs, series
from db.assessments import SeriesAssessment
from db.jobs import Claim
from db.tables import Stage
from db.writer import Writer
from jobs.answer import Answering, Tell
from jobs.kinds import ASSESS
from jobs.leases import Leases
from models.series_rule import SeriesRule
from workers import series_findings, study_findings


class SeriesAssessor:
    """Answers the doorbells of series that are to be assessed, many threads at once."""

    def __init__(self, leases: Leases, writer: Writer, final_seconds: float, rule: SeriesRule) -> None:
        """
        Args:
            leases: of the worker.
            writer: of the database.
            final_seconds: of silence after which a series counts as complete.
            rule: from slice scores to a series'.
        """
        self.answering = Answering(leases, (ASSESS,), lambda _, ids: dict.fromkeys(ids), self._assess)
        self._writer = writer
        self._final_seconds = final_seconds
        self._rule = rule

    def stop(self) -> None:
        """No further series is claimed."""
        self.answering.stop()

    def _assess(self, claim: Claim, _: None, __: Tell) -> str:
        return self._writer.do(assess, claim, self._rule, self._final_seconds) or "void: another worker has it"


def assess(connection: Connection, claim: Claim, rule: SeriesRule, final_seconds: float) -> str | None:
    """Ends a claimed job by what its series and study show; in words for Flower. None, and nothing written, if the claim is void.

    The job ends first: a verdict that is written at the same time waits for that, or is seen here. A provisional assessment enters the job
    again, for the time when the series counts as complete. A series whose scans now all belong to others loses its assessment.
    """
    if not jobs.finish(connection, claim):
        return None
    of = series.find(connection, claim.subject)
    slices = series.slices(connection, of)
    found = series_findings.assess(of, slices, rule, final_seconds) if slices else None
    assessments.lock_study(connection, of.study_id)
    assessments.write_series(connection, of.series_id, found)
    if found and found.stage is Stage.PROVISIONAL:
        series.schedule(connection, of.series_id, found.priority, max(0.0, final_seconds - of.silent_seconds))
    entries = assessments.of_study(connection, of.study_id)
    assessments.write_study(connection, of.study_id, study_findings.assess(entries) if entries else None)
    return _summary(found) if found else "no scan is left in the series"


def _summary(found: SeriesAssessment) -> str:
    answer = f"{found.status}: {found.reason}" if found.finding is None else f"{found.finding} {found.probability:.3f} {found.status}"
    return f"{answer}, {found.stage}, {found.slices_used} of {found.slices} slices"
