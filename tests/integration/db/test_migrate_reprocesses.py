"""A reprocess that was stopped before Lungline was updated goes on afterwards: from the schema before, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text

from db import migrate, rereads, versions
from db.connect import connect
from db.rereads import Choice
from db.tables import reprocesses
from db.versions import Version
from lungline.findings import Modality, Status
from lungline.settings import Settings
from tests.ledger import upgrade_to

_BEFORE = "0007"
_THEN = "'2026-11-01T10:00:00.000+00:00'"
_SINCE = datetime(2026, 10, 1, 8, 30, tzinfo=UTC)
_ROWS = {  # id: what was asked for, when it ended
    "all": ("--all", "NULL"),
    "ended": ("--all", _THEN),
    "some": (f"--since {_SINCE.isoformat(timespec='seconds')} --finding normal --status review", "NULL"),
}


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Iterator[Engine]:
    """A database of the version before, with reprocesses in it, opened by this version."""
    settings = Settings(home=tmp_path, database_url=database_url)
    before = connect(settings.database_url)
    with before.begin() as connection:
        upgrade_to(connection, _BEFORE)
        for name, (asked, ended) in _ROWS.items():
            values = f"'{name}', '{asked}', 'ct=ct-1,xray=xray-1', {_THEN}, {ended}"
            connection.execute(text(f"INSERT INTO reprocesses (id, asked, champions, began_at, ended_at) VALUES ({values})"))
    before.dispose()
    engine = migrate.open_database(settings)
    with engine.begin() as connection:
        found = [Version(f"{name}-1", "ensemble", name, Modality(name), "aa", True) for name in ("ct", "xray")]
        versions.enter(connection, found)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(("name", "choice"), [("all", Choice()), ("some", Choice(_SINCE, "normal", Status.REVIEW))])
def test_what_was_asked_for_goes_on(name: str, choice: Choice, engine: Engine) -> None:
    with engine.begin() as connection:
        order = rereads.begin(connection, choice)
    assert (order.id, order.resumed) == (name, True)


def test_each_row_keeps_its_filters_and_champions(engine: Engine) -> None:
    with engine.connect() as connection:
        found = {row.id: row for row in connection.execute(select(reprocesses))}
    assert set(found) == set(_ROWS)
    assert {row.id for row in found.values() if row.ended_at} == {"ended"}
    assert [(row.since, row.finding, row.status) for row in (found["all"], found["some"])] == [
        (None, None, None),
        (_SINCE, "normal", "review"),
    ]
    assert all(row.champions == {"ct": "ct-1", "xray": "xray-1"} for row in found.values())
