"""The counts that are asked for every second, and what `lungline reconcile` looks up: by indexes, however large the ledger."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from db import migrate
from db.consistency import check_tables
from db.status import counts
from lungline.settings import load
from tests.ledger import plans


@pytest.fixture
def sqlite() -> Iterator[Engine]:
    engine = migrate.open_database(load())
    yield engine
    engine.dispose()


def test_counting_reads_no_table(sqlite: Engine) -> None:
    with plans(sqlite) as steps:
        counts(sqlite)
    large = [step for step in steps if step.split()[1] in ("files", "scans")]
    assert sorted(step.split(" USING ")[0] for step in large) == ["SCAN files", "SCAN scans", *3 * ["SEARCH files"]]
    assert all("COVERING INDEX" in step for step in large)
    assert [step for step in steps if "TEMP B-TREE" in step] == []


def test_the_oldest_waiting_scan_is_found_by_an_index(sqlite: Engine) -> None:
    with plans(sqlite) as steps:
        counts(sqlite)
    of_jobs = [step for step in steps if " jobs " in step]
    by_index = "SEARCH jobs USING COVERING INDEX ix_jobs_kind_state_created_at_queue"
    assert of_jobs == [f"{by_index} (kind=?)", f"{by_index} (kind=? AND state=?)"]


def test_reconcile_finds_a_refused_file_by_an_index(sqlite: Engine) -> None:
    with plans(sqlite) as steps, sqlite.connect() as connection:
        assert {check.wrong for check in check_tables(connection)} == {0}
    of_files = [step for step in steps if "ix_quarantine_file_id" in step]
    assert of_files == ["SEARCH q USING COVERING INDEX ix_quarantine_file_id (file_id=?)"]
    whole = [step for step in steps if step.startswith("SCAN q")]
    assert whole == ["SCAN q USING INDEX ix_quarantine_open"]  # open rows alone
