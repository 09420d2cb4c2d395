"""Rulings of the gate: a row each with its clauses, and the uses of the split counted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from db import gates, migrate, runs
from db.gates import Gate
from lungline.settings import Settings

CLAUSE = dict.fromkeys(("source", "champion", "challenger", "difference", "low", "high", "images", "groups"))


@pytest.fixture
def connection(database_url: str, tmp_path: Path) -> Iterator[Connection]:
    engine = migrate.open_database(Settings(home=tmp_path, database_url=database_url))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def ruling(challenger: str, use_count: int) -> Gate:
    harmed = {
        **CLAUSE,
        "name": "brier",
        "outcome": "failed",
        "champion": 0.2,
        "challenger": 0.4,
        "difference": -0.2,
        "low": -0.3,
        "high": -0.1,
    }
    harmed |= {"images": 218, "groups": 180}
    return Gate("xray", "xray-1", challenger, "refused", "brier", use_count, (harmed, {**CLAUSE, "name": "better", "outcome": "not_given"}))


def test_each_clause_is_a_row_with_its_figures(connection: Connection) -> None:
    run_id = runs.enter(connection, "hand")
    assert run_id
    assert gates.count_uses(connection, "xray") == 0
    for _ in range(2):  # settled a second time, after a commit whose answer was lost
        gates.enter(connection, run_id, ruling("xray-2", 1))
    assert gates.count_uses(connection, "xray") == 1
    assert gates.count_uses(connection, "ct") == 0
    found = connection.execute(text("SELECT * FROM gate_clauses ORDER BY number")).mappings().all()
    assert [(row["clause"], row["outcome"], row["version"], row["uses"]) for row in found] == [
        ("brier", "failed", "xray-2", 1),
        ("better", "not_given", "xray-2", 1),
    ]
    assert (found[0]["difference"], found[0]["images"]) == (-0.2, 218)
    fetched = connection.execute(text("SELECT decision, champion, challenger, reason FROM gate_rulings")).one()
    assert tuple(fetched) == ("refused", "xray-1", "xray-2", "brier")
    audited = connection.execute(text("SELECT action, subject FROM audit")).all()
    assert [tuple(row) for row in audited] == [("gate", "xray-2")]


def test_challenger_judged_twice_counts_as_two_uses(connection: Connection) -> None:
    for use_count in (1, 2):
        run_id = runs.enter(connection, "hand")
        assert run_id
        gates.enter(connection, run_id, ruling("xray-2", use_count))
    assert gates.count_uses(connection, "xray") == 2
