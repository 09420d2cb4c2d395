"""How lists are found: by an index, so that a page takes as long with a million studies as with ten."""

import pytest

from db import worklists
from db.connect import read_only
from db.migrate import open_database
from db.worklists import ListFilter, StudyOrder
from lungline.settings import load
from tests.ledger import plans


@pytest.mark.parametrize(
    ("order", "indexes"),
    [
        (StudyOrder.FIRST, {"ix_study_assessments_surest", "ix_study_assessments_review"}),
        (StudyOrder.NEWEST, {"ix_study_assessments_current_finished_at"}),
    ],
)
def test_a_page_of_studies_is_found_by_an_index(order: StudyOrder, indexes: set[str]) -> None:
    engine = open_database(load())
    with plans(engine) as steps, read_only(engine).connect() as connection:
        assert worklists.list_studies(connection, order, ListFilter()).rows == []
    assert {name for name in indexes if any(name in step for step in steps)} == indexes, steps
    assert not any(step.endswith("FOR ORDER BY") for step in steps), steps
    engine.dispose()


def test_a_page_of_scans_is_found_by_an_index() -> None:
    engine = open_database(load())
    with plans(engine) as steps, read_only(engine).connect() as connection:
        assert worklists.list_scans(connection, ListFilter()).rows == []
    assert not any("ORDER BY" in step for step in steps), steps
    engine.dispose()
