"""How long the counts take that `lungline status` and `lungline up` show, in a database of a million scans."""

import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from db.status import counts

SCANS = 1_000_000
WAITING = 20_000
SECONDS_MAX = 0.1

_NUMBERS = f"WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {SCANS})"
_ID = {"sqlite": "printf('%032d', {})", "postgresql": "lpad(cast({} as text), 32, '0')"}
_ROWS = (
    "INSERT INTO files (id, outcome, sha256, bytes, priority, received_at)"
    " {numbers} SELECT {id}, CASE WHEN n % 50 = 0 THEN 'duplicate' ELSE 'accepted' END, {id}, 1, 'scans', {then} FROM numbers",
    "INSERT INTO scans (id, file_id, sha256, frame, priority, received_at)"
    " {numbers} SELECT {id}, {id}, {id}, 1, 'scans', {then} FROM numbers",
    "INSERT INTO jobs (id, kind, subject, queue, priority, state, exclusive, attempt, due_at, created_at, alone, lost_leases, deaths,"
    " timeouts) {numbers} SELECT {id}, 'read', {id}, 'scans', 1, 'waiting', {no}, 0, {then}, {then}, {no}, 0, 0, 0 FROM numbers"
    f" WHERE n <= {WAITING}",
    "INSERT INTO quarantine (id, file_id, scan_id, sha256, reason, detail, bytes, seen_at, looks)"
    " {numbers} SELECT {id}, {id}, {id}, {id}, 'unreadable', 'x', 1, {then}, 0 FROM numbers"
    f" WHERE n > {WAITING} AND n % 500 = 0",
)
_THEN = "'2026-11-01T10:00:00.000+00:00'"


@pytest.fixture
def full(engine: Engine) -> Engine:
    """A database of many files, scans, waiting jobs and quarantined scans."""
    dialect = engine.dialect.name
    made_of = {"numbers": _NUMBERS, "id": _ID[dialect].format("n"), "then": _THEN, "no": "false"}
    if dialect == "postgresql":
        made_of["then"] = f"cast({_THEN} as timestamptz)"
    with engine.begin() as connection:
        for statement in _ROWS:
            connection.execute(text(statement.format(**made_of)))
    if dialect == "postgresql":  # as its autovacuum does in time
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    return engine


def cpu_seconds(server: int | None) -> float:
    """Of this thread, and of the server's process that answers it: what it would take on a machine that does nothing else."""
    spent = int(Path(f"/proc/{server}/schedstat").read_text().split()[0]) / 1e9 if server else 0.0
    return time.thread_time() + spent


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for CPU times")
def test_counts_of_a_million_scans_take_a_tenth_of_a_second(full: Engine) -> None:
    with full.connect() as connection:  # the pool's only one
        server = connection.scalar(text("SELECT pg_backend_pid()")) if full.dialect.name == "postgresql" else None
    seconds = []
    for _ in range(20):
        began = cpu_seconds(server)
        found = counts(full)
        seconds.append(cpu_seconds(server) - began)
    assert (found["scans"], found["waiting"], found["quarantined"]) == (SCANS, WAITING, (SCANS - WAITING) // 500)
    assert found["duplicates"] == SCANS // 50
    assert min(seconds) < SECONDS_MAX, seconds
