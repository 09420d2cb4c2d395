"""Studies as commands and pages show them: the list, one with its series, and the word of a person that one is complete."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import JSON, Connection, text

from db import series
from lungline.errors import LedgerError

_STUDIES: Final = text("SELECT * FROM study_results ORDER BY finished_at DESC, study_key DESC LIMIT :most")
_WORKLIST: Final = text("SELECT * FROM study_worklist LIMIT :most")
_STUDY: Final = text("SELECT * FROM study_results WHERE study_key = :study_key ORDER BY finished_at")
_SERIES: Final = text("SELECT * FROM series_results WHERE study_key = :study_key ORDER BY first_received_at, series_key")
_INPUTS: Final = text("""
    SELECT s.series_key, a.inputs FROM series_assessments a JOIN series s ON s.id = a.series_id JOIN studies t ON t.id = s.study_id
    WHERE t.study_key = :study_key AND a.superseded_at IS NULL
""")
_PRIORS: Final = text("""
    SELECT study_key, finding, probability, status, finished_at FROM study_results
    WHERE patient_key = :patient_key AND study_key <> :study_key AND first_received_at < :received ORDER BY first_received_at DESC
""")


@dataclass(frozen=True)
class Study:
    """A study with what lies in it; rows hold the columns of the views that they come from."""

    study: dict[str, Any]
    series: list[dict[str, Any]]
    priors: list[dict[str, Any]]


def list_studies(connection: Connection, most: int, *, worklist: bool) -> list[dict[str, Any]]:
    """The studies that were assessed last, or those that a reader should look at first, so many at most."""
    return [dict(row) for row in connection.execute(_WORKLIST if worklist else _STUDIES, {"most": most}).mappings()]


def find_studies(connection: Connection, study_key: str) -> list[Study]:
    """The studies with this pseudonym: one, but where two patients share a Study Instance UID; empty where there is none."""
    names = {"study_key": study_key}
    all_series = [dict(row) for row in connection.execute(_SERIES, names).mappings()]
    set_aside = {row.series_key: _set_aside(row.inputs) for row in connection.execute(_INPUTS.columns(inputs=JSON), names)}
    found = []
    for row in connection.execute(_STUDY, names).mappings():
        mine = [
            entry | {"set_aside": set_aside.get(entry["series_key"], {})}
            for entry in all_series
            if entry["patient_key"] == row["patient_key"]
        ]
        asked = {"patient_key": row["patient_key"], "study_key": study_key, "received": row["first_received_at"]}
        found.append(Study(dict(row), mine, [dict(prior) for prior in connection.execute(_PRIORS, asked).mappings()]))
    return found


def finish_study(connection: Connection, study_key: str) -> int:
    """Has each series of a study assessed at once, as final; how many.

    Raises:
        LedgerError: no study has this pseudonym.
    """
    closed = series.close_study(connection, study_key)
    if not closed:
        raise LedgerError("No such study; `lungline studies` lists them.")
    return closed


def _set_aside(inputs: dict[str, Any]) -> dict[str, int]:
    """Why how many images of a series do not count."""
    return {why: count for why, count in inputs.get("set_aside", {}).items() if count}
