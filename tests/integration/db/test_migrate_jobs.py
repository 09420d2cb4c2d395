"""Work that waits and runs when Lungline is updated goes on: from the schema before the table of jobs, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from db import job_leases, jobs, migrate, runs, scans, status
from db.connect import connect
from db.jobs import Claim
from lungline.settings import Settings
from tests.ledger import claim_run, claim_scan, is_held, state_of, to_ring, upgrade_to

_BEFORE = "0006"
_THEN = "'2026-11-01T10:00:00.000+00:00'"
_SOON = "'2099-11-01T10:00:00.000+00:00'"

# name of the scan: priority, state, attempt, owner, alone, lost leases, deaths, again
_SCANS = {
    "urgent": ("stat", "waiting", 0, None, False, 0, 0, False),
    "plain": ("scans", "waiting", 0, None, False, 0, 0, False),
    "suspect": ("scans", "waiting", 3, None, False, 2, 1, False),
    "read": ("scans", "reading", 4, "slot/boot/a", True, 2, 1, False),
    "reread": ("stat", "waiting", 1, None, False, 0, 0, True),
    "reread-now": ("scans", "reading", 2, "slot/boot/a", False, 0, 0, True),
    "done": ("scans", "done", 1, None, False, 0, 0, False),
    "turned-away": ("scans", "quarantined", 1, None, False, 0, 0, False),
}
_WITH_VERDICT = ("reread", "reread-now", "done")
_RUNS = {"run-waiting": ("waiting", None, 2), "run-running": ("running", "slot/boot/t", 3), "run-done": ("done", None, 0)}


def _statements(true: str, false: str) -> Iterator[str]:
    for number, (name, (priority, state, attempt, owner, alone, lost, deaths, repeated)) in enumerate(_SCANS.items()):
        sha256 = f"{number:064x}"
        yield (
            "INSERT INTO files (id, outcome, sha256, bytes, priority, received_at)"
            f" VALUES ('f-{name}', 'accepted', '{sha256}', 1, '{priority}', {_THEN})"
        )
        lease = f"'{owner}', {_SOON}" if owner else "NULL, NULL"
        yield (
            "INSERT INTO scans (id, file_id, sha256, frame, priority, state, attempt, lease_owner, lease_until, alone, lost_leases, deaths,"
            f" timeouts, again, received_at) VALUES ('{name}', 'f-{name}', '{sha256}', 1, '{priority}', '{state}', {attempt}, {lease},"
            f" {true if alone else false}, {lost}, {deaths}, 0, {true if repeated else false}, {_THEN})"
        )
        if name in _WITH_VERDICT:
            yield (
                "INSERT INTO verdicts (id, scan_id, ensemble, finding, probability, status, finished_at)"
                f" VALUES ('v-{name}', '{name}', 'xray-1-old', 'normal', 0.9, 'accepted', {_THEN})"
            )
    yield (
        "INSERT INTO quarantine (id, file_id, scan_id, reason, detail, bytes, seen_at, looks)"
        f" VALUES ('q', 'f-turned-away', 'turned-away', 'truncated', 'x', 1, {_THEN}, 0)"
    )
    for name, (state, owner, barren) in _RUNS.items():
        lease = f"'{owner}', {_SOON}" if owner else "NULL, NULL"
        yield (
            "INSERT INTO runs (id, trigger, recipes, forced, state, seed, entered_at, attempt, barren, lease_owner, lease_until,"
            f" epochs_done, resumed) VALUES ('{name}', 'hand', 'xray-cnn', {false}, '{state}', 0, {_THEN}, 1, {barren}, {lease}, 5, 1)"
        )


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Engine]:
    """A database of the version before, full of work, opened by this version."""
    settings = Settings(home=tmp_path, database_url=database_url)
    before = connect(settings.database_url)
    with before.begin() as connection:
        upgrade_to(connection, _BEFORE)
        for statement in _statements(*(("true", "false") if before.dialect.name == "postgresql" else ("1", "0"))):
            connection.execute(text(statement))
    before.dispose()
    engine = migrate.open_database(settings)
    yield engine
    engine.dispose()


def test_every_scan_stands_where_it_stood(database: Engine) -> None:
    with database.connect() as connection:
        states = {name: state_of(connection, name) for name in _SCANS}
        results = {row.scan_id for row in connection.execute(text("SELECT scan_id FROM scan_results"))}
        reread = jobs.subjects(connection, scans.REREAD)
    assert states == {
        **dict.fromkeys(("urgent", "plain", "suspect"), "waiting"),
        "read": "reading",
        **dict.fromkeys(_WITH_VERDICT, "done"),
        "turned-away": "quarantined",
    }
    assert results == set(_WITH_VERDICT)
    assert reread == {"reread", "reread-now"}
    counts = status.counts(database)
    assert [counts[name] for name in ("scans", "waiting", "reading", "done", "quarantined")] == [8, 3, 1, 3, 1]


def test_what_waited_is_rung_and_claimed_and_what_ran_is_freed(database: Engine) -> None:
    with database.begin() as connection:
        assert to_ring(connection, "stat", 9, None) == ["urgent"]
        assert set(to_ring(connection, "scans", 9, None)) == {"plain", "suspect"}
        assert claim_scan(connection, "read") is None
        assert job_leases.free_slot(connection, "slot", "boot") == 3
        assert claim_scan(connection, "read") is not None
        suspect = claim_scan(connection, "suspect")
        assert suspect is not None
        assert (suspect.attempt, suspect.alone) == (4, True)


def test_training_runs_keep_their_place(database: Engine) -> None:
    with database.begin() as connection:
        shown = {row.run_id: row.state for row in connection.execute(text("SELECT run_id, state FROM training_runs"))}
        assert shown == {"run-waiting": "waiting", "run-running": "running", "run-done": "done"}
        assert claim_run(connection, "run-waiting") is None  # another runs
        running = Claim("run-running", runs.TRAIN, "run-running", 1, "slot/boot/t", 1, False)
        assert is_held(connection, running)
        assert runs.begin(connection, "run-running").epochs_done == 5
