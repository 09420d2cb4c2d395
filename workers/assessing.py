"""Assesses a series once no more slices come: a job whose answer is committed with its end, and with that of its study."""

from sqlalchemy import Connection

from db import assessments, jobs, series
from db.assessments import SeriesAssessment
from db.jobs import Claim
from db.series import Series
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
        self.answering = Answering(leases, (ASSESS,), series.find, self._assess)
        self._writer = writer
        self._final_seconds = final_seconds
        self._rule = rule

    def stop(self) -> None:
        """No further series is claimed."""
        self.answering.stop()

    def _assess(self, claim: Claim, _: Series, __: Tell) -> str:
        found = self._writer.do(assess, claim, self._rule, self._final_seconds)
        return "void: another worker has it" if found is None else _summary(found)


def assess(connection: Connection, claim: Claim, rule: SeriesRule, final_seconds: float) -> SeriesAssessment | None:
    """Ends a claimed job by what its series and study show; None, and nothing written, if the claim is void.

    The job ends first: a verdict that is written at the same time waits for that, or is seen here. A provisional assessment enters the job
    anew, for the time by which the series counts as complete.
    """
    if not jobs.finish(connection, claim):
        return None
    of = series.find(connection, [claim.subject])[claim.subject]
    found = series_findings.assess(of, series.slices(connection, of), rule, final_seconds)
    assessments.lock_study(connection, of.study_id)
    assessments.write_series(connection, of.series_id, found)
    if found.stage is Stage.PROVISIONAL:
        series.schedule(connection, of.series_id, found.priority, max(0.0, final_seconds - of.silent_seconds))
    scans = assessments.count_scans(connection, of.study_key, of.patient_key)
    assessments.write_study(connection, of.study_id, study_findings.assess(assessments.of_study(connection, of.study_id), scans))
    return found


def _summary(found: SeriesAssessment) -> str:
    """What Flower shows."""
    said = f"{found.status}: {found.reason}" if found.finding is None else f"{found.finding} {found.probability:.3f} {found.status}"
    return f"{said}, {found.stage}, {found.slices_used} of {found.slices} slices"
