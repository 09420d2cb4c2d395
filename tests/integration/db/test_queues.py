"""A paused queue begins no job and loses none; the backlog says what waits where; on both databases."""

from typing import Any

import pytest
from sqlalchemy import Connection, text, update

from db import drops, job_doorbells, job_leases, queues
from db.clock import now
from db.tables import Priority, paused_queues
from db.tables import jobs as jobs_table
from db.views import QUEUES
from jobs.kinds import KINDS
from tests.ledger import any_drop, claim_scan, to_ring


def enter_scan(connection: Connection, priority: Priority = Priority.SCANS) -> str:
    drop = any_drop(priority)
    drops.accept(connection, drop)
    return str(connection.scalar(text("SELECT id FROM scans WHERE file_id = :id"), {"id": drop.id}))


def row(connection: Connection, queue: str, kind: str) -> dict[str, Any]:
    (found,) = [dict(each) for each in queues.backlog(connection) if (each["queue"], each["kind"]) == (queue, kind)]
    return found


def test_the_view_knows_every_queue_and_kind() -> None:
    assert sorted(QUEUES) == sorted((queue, kind.name) for kind in KINDS for queue in kind.queues)


def test_no_job_of_a_paused_queue_is_begun(connection: Connection) -> None:
    waiting, urgent = enter_scan(connection), enter_scan(connection, Priority.STAT)
    assert queues.pause(connection, "scans", "ann")
    assert not queues.pause(connection, "scans", "ann")
    assert queues.paused(connection) == ["scans"]
    assert claim_scan(connection, waiting) is None
    assert claim_scan(connection, urgent) is not None
    assert to_ring(connection, "scans", 10) == []


def test_what_was_rung_in_vain_is_rung_anew(connection: Connection) -> None:
    waiting = enter_scan(connection)
    queues.pause(connection, "scans", "ann")
    job = str(connection.scalar(text("SELECT id FROM jobs")))
    job_doorbells.note_rung(connection, [job])
    assert claim_scan(connection, waiting) is None  # its doorbell was answered
    assert queues.resume(connection, "scans", "ann")
    assert not queues.resume(connection, "scans", "ann")
    assert to_ring(connection, "scans", 10) == [waiting]
    assert claim_scan(connection, waiting) is not None


def test_a_job_under_way_goes_on(connection: Connection) -> None:
    scan_id = enter_scan(connection)
    claim = claim_scan(connection, scan_id)
    assert claim is not None
    queues.pause(connection, "scans", "ann")
    assert job_leases.renew(connection, claim.owner, [claim.job_id], 40.0) == {claim.job_id}


def test_who_paused_and_resumed_is_in_the_audit(connection: Connection) -> None:
    queues.pause(connection, "scans", "ann")
    queues.resume(connection, "scans", "bob")
    found = connection.execute(text("SELECT who, subject, detail FROM audit WHERE action = 'queue' ORDER BY at, id")).all()
    assert [tuple(each) for each in found] == [("ann", "scans", "paused"), ("bob", "scans", "resumed")]


def test_the_backlog_says_what_waits_and_since_when(connection: Connection) -> None:
    enter_scan(connection)
    claim_scan(connection, enter_scan(connection))
    connection.execute(update(jobs_table).where(jobs_table.c.state == "waiting").values(created_at=now(-30.0)))
    queues.pause(connection, "scans", "ann")
    found = row(connection, "scans", "read")
    assert (found["waiting"], found["running"], found["paused"]) == (1, 1, 1)
    assert found["oldest_waiting_seconds"] == pytest.approx(30.0, abs=5.0)
    assert row(connection, "stat", "read") == {
        "queue": "stat",
        "kind": "read",
        "waiting": 0,
        "running": 0,
        "oldest_waiting_seconds": None,
        "paused": 0,
    }


def test_what_is_due_later_does_not_wait_yet(connection: Connection) -> None:
    enter_scan(connection)
    connection.execute(update(jobs_table).values(created_at=now(600.0), due_at=now(600.0)))
    assert row(connection, "scans", "read")["waiting"] == 0


def test_nothing_is_paused_at_first(connection: Connection) -> None:
    assert queues.paused(connection) == []
    assert connection.execute(paused_queues.select()).all() == []
