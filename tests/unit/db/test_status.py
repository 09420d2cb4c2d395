"""The counts that are asked for every second, and what `lungline reconcile` looks up: by indexes, however large the ledger."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from cli.reconcile import _in_ledger
from db import migrate
from db.status import counts
from lungline.settings import load


@pytest.fixture
def sqlite() -> Iterator[Engine]:
    engine = migrate.open_database(load())
    yield engine
    engine.dispose()


@contextmanager
def plans(engine: Engine) -> Iterator[list[str]]:
    """How SQLite goes about each query that is made meanwhile, a line a step."""
    steps: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            steps.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())

    event.listen(engine, "before_cursor_execute", explain)
    yield steps
    event.remove(engine, "before_cursor_execute", explain)


def test_counting_reads_no_table(sqlite: Engine) -> None:
    with plans(sqlite) as steps:
        counts(sqlite)
    of_tables = [step for step in steps if " files" in step or " scans" in step]
    assert sorted(of_tables) == [
        "SCAN files USING COVERING INDEX ix_files_outcome",
        "SCAN scans USING COVERING INDEX ix_scans_state_priority_received_at",
        "SCAN scans USING INDEX ix_scans_again",
        *["SEARCH scans USING INDEX ix_scans_state_priority_received_at (state=? AND priority=?)"] * 2,
    ]
    assert [step for step in steps if "TEMP B-TREE" in step] == ["USE TEMP B-TREE FOR GROUP BY"]  # of the scans read again


def test_reconcile_finds_a_refused_file_by_an_index(sqlite: Engine) -> None:
    with plans(sqlite) as steps, sqlite.connect() as connection:
        assert {count for _, count in _in_ledger(connection)} == {0}
    assert sorted(step for step in steps if step.split()[1] == "q") == [
        "SEARCH q USING COVERING INDEX ix_quarantine_file_id (file_id=?)",
        "SEARCH q USING INDEX ix_quarantine_scan_id (scan_id=?)",
    ]
