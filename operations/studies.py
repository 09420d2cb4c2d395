"""Studies as people ask for them: the list, one with its series, and a person's word that one is complete."""

from db import series, study_views
from db.connect import read_only
from db.migrate import open_database
from db.rows import ViewRow, storable
from db.study_views import Study
from lungline.errors import LedgerError
from lungline.settings import Settings


def list_studies(settings: Settings, most: int, *, worklist: bool = False) -> list[ViewRow]:
    """The studies that were assessed last, or those that a reader should look at first, with all columns of `study_results`."""
    with read_only(open_database(settings)).connect() as connection:
        return (study_views.study_worklist if worklist else study_views.newest_studies)(connection, most)


def find_studies(settings: Settings, study_key: str) -> list[Study]:
    """The studies with this pseudonym; empty where there is none."""
    with read_only(open_database(settings)).connect() as connection:
        return study_views.find_studies(connection, storable(study_key))


def finish_study(settings: Settings, study_key: str) -> int:
    """Has each series of a study assessed at once, as final; how many.

    Raises:
        LedgerError: no study has this pseudonym.
    """
    engine = open_database(settings)
    with engine.begin() as connection:
        closed = series.close_study(connection, storable(study_key))
    engine.dispose()
    if not closed:
        raise LedgerError("There is no such study; `lungline studies` lists them.")
    return closed
