"""What the views tell of studies: the newest, those to look at first, and one with its series and the patient's earlier studies."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from db.assessments import telling_scans
from db.rows import ViewRow, select_rows
from db.tables import series, series_assessments, studies

_NEWEST: Final = "SELECT * FROM study_results ORDER BY finished_at DESC, study_key DESC LIMIT :most"
_WORKLIST: Final = "SELECT * FROM study_worklist LIMIT :most"
_STUDY: Final = "SELECT * FROM study_results WHERE study_key = :study_key ORDER BY finished_at"
_SERIES: Final = "SELECT * FROM series_results WHERE study_key = :study_key ORDER BY first_received_at, series_key"
_PRIORS: Final = """
    SELECT study_key, finding, probability, status, finished_at FROM study_results
    WHERE patient_key = :patient_key AND study_key <> :study_key AND first_received_at < :received ORDER BY first_received_at DESC
"""


@dataclass(frozen=True)
class Study:
    """A study with what lies in it."""

    columns: ViewRow
    """Of `study_results`."""
    series: list[ViewRow]
    """Of `series_results`."""
    set_aside: list[dict[str, int]]
    """For each series: why how many of its images do not count."""
    telling: list[list[str]]
    """For each series: the scans that speak most for its finding."""
    priors: list[ViewRow]
    """Earlier studies of the same patient, the newest first."""


def newest_studies(connection: Connection, most: int) -> list[ViewRow]:
    """The studies that were assessed last."""
    return select_rows(connection, _NEWEST, most=most)


def study_worklist(connection: Connection, most: int) -> list[ViewRow]:
    """The studies that a reader should look at first."""
    return select_rows(connection, _WORKLIST, most=most)


def find_studies(connection: Connection, study_key: str) -> list[Study]:
    """The studies with this pseudonym: one, but where two patients share a Study Instance UID; empty where there is none."""
    rows = select_rows(connection, _STUDY, study_key=study_key)
    if not rows:
        return []
    all_series = select_rows(connection, _SERIES, study_key=study_key)
    inputs = _inputs(connection, study_key)
    found = []
    for row in rows:
        mine = [entry for entry in all_series if entry["patient_key"] == row["patient_key"]]
        given = [inputs.get((str(entry["series_key"]), entry["modality"] or "", entry["patient_key"] or ""), {}) for entry in mine]
        set_aside = [{why: count for why, count in each.get("set_aside", {}).items() if count} for each in given]
        found.append(Study(row, mine, set_aside, [telling_scans(each) for each in given], _priors(connection, row)))
    return found


def _priors(connection: Connection, study: ViewRow) -> list[ViewRow]:
    names = {name: str(study[name]) for name in ("patient_key", "study_key")}
    received = study["first_received_at"]
    return select_rows(connection, _PRIORS, **names, received=received) if study["patient_key"] else []


def _inputs(connection: Connection, study_key: str) -> dict[tuple[str, object, object], dict[str, Any]]:
    """Of the current assessments of its series, by series, modality and patient."""
    both = series_assessments.join(series).join(studies)
    query = select(series.c.series_key, series.c.modality, studies.c.patient_key, series_assessments.c.inputs).select_from(both)
    current = query.where(studies.c.study_key == study_key, series_assessments.c.superseded_at.is_(None))
    return {(row.series_key, row.modality, row.patient_key): row.inputs for row in connection.execute(current)}
