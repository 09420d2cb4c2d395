"""Scans that are read again, on real SQLite and real PostgreSQL: their verdict stands until another is committed, whatever happens."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, insert, select, text, update

from db import drops, job_doorbells, job_leases, rereads, status
from db.clock import now
from db.drops import Drop
from db.job_doorbells import Look
from db.job_leases import Cause
from db.jobs import Claim
from db.rereads import Change, Choice, Order
from db.results import ScanFacts, Verdict
from db.tables import Outcome, Priority, Rank, scans, versions
from db.tables import jobs as jobs_table
from jobs import leases
from jobs.kinds import KINDS, READ_FAILURES
from lungline.findings import Modality, Status
from lungline.ids import new_id
from lungline.reasons import Reason
from tests.ledger import claim_scan, job_of, record, to_ring
from workers import failed_reads

FACTS = ScanFacts(Modality.XRAY, 10, 20)
ALL = Choice()
SLOT = "home-host-inference-0"
OWNER = f"{SLOT}/boot1/aaaa"


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        champion(connection, "A")
        yield connection


def champion(connection: Connection, version: str) -> None:
    """Makes a version champion of X-rays."""
    connection.execute(update(versions).values(state="retired"))
    connection.execute(versions.delete().where(versions.c.version == version))
    row = {"version": version, "kind": "ensemble", "name": "xray", "modality": "xray", "state": "champion", "sha256": "0" * 64}
    connection.execute(insert(versions).values(**row, shipped=True, created_at=now()))


def verdict(by: str, finding: str = "normal", status: Status = Status.ACCEPTED) -> Verdict:
    return Verdict(by, status, finding, 0.7, None, 0.0, 0.5, {finding: 0.7, "pneumonia": 0.3}, [("m", f"m-{by}", {finding: 1.0})])


def claimed(connection: Connection, scan_id: str) -> Claim:
    claim = claim_scan(connection, scan_id, OWNER)
    assert claim is not None
    return claim


def done(connection: Connection, said: Verdict) -> str:
    """A scan that was judged."""
    sha256 = new_id().replace("-", "") * 2
    drops.accept(connection, Drop(new_id(), sha256, 10, Priority.SCANS, None))
    scan_id = str(connection.scalar(select(scans.c.id).where(scans.c.sha256 == sha256)))
    assert record(connection, claimed(connection, scan_id), FACTS, said)
    return scan_id


def reads(connection: Connection, scan_id: str, said: Verdict) -> None:
    """A worker reads a scan that was asked for."""
    assert record(connection, claimed(connection, scan_id), FACTS, said)


def results_of(connection: Connection) -> list[tuple[str, str | None]]:
    return [tuple(row) for row in connection.execute(text("SELECT ensemble, finding FROM scan_results ORDER BY scan_id"))]


def history(connection: Connection) -> list[tuple[str, bool, bool]]:
    """Ensemble, whether it was superseded, whether it came back."""
    query = text("SELECT ensemble, superseded_at, reinstated_at FROM scan_history ORDER BY finished_at, ensemble")
    return [(row[0], row[1] is not None, row[2] is not None) for row in connection.execute(query)]


def counts_of_reread(connection: Connection) -> tuple[object, ...]:
    connection.commit()
    counts = status.counts(connection.engine)
    return tuple(counts[name] for name in ("scans", "waiting", "reading", "done", "quarantined", "oldest_waiting_seconds"))


def background(connection: Connection) -> list[str]:
    """Scans to be reread whose doorbells are to be rung."""
    return [scan_id for _, _, scan_id in job_doorbells.to_ring(connection, "scans", [Rank.BACKGROUND], 10)]


def test_its_verdict_stands_until_another_is_committed(connection: Connection) -> None:
    scan_id = done(connection, verdict("A"))
    champion(connection, "B")
    assert rereads.ask(connection, ALL, "", 10) == [scan_id]
    assert counts_of_reread(connection) == (1, 0, 0, 1, 0, None)
    claim = claimed(connection, scan_id)
    assert claim.kind == "reread"
    assert counts_of_reread(connection) == (1, 0, 0, 1, 0, None)
    assert results_of(connection) == [("A", "normal")]
    assert record(connection, claim, FACTS, verdict("B", "covid19"))
    assert results_of(connection) == [("B", "covid19")]
    assert history(connection) == [("A", True, False), ("B", False, False)]
    assert connection.scalar(text("SELECT count(*) FROM scan_probabilities WHERE ensemble = 'B'")) == 2
    assert counts_of_reread(connection) == (1, 0, 0, 1, 0, None)
    assert (rereads.asked(connection), rereads.left(connection, ALL), rereads.ask(connection, ALL, "", 10)) == (set(), 0, [])


def test_back_to_a_former_version_its_verdict_is_current_again(connection: Connection) -> None:
    scan_id = done(connection, verdict("A"))
    for version in ("B", "A", "B"):
        champion(connection, version)
        assert rereads.ask(connection, ALL, "", 10) == [scan_id]
        reads(connection, scan_id, verdict(version, "covid19" if version == "B" else "normal"))
    assert results_of(connection) == [("B", "covid19")]
    assert history(connection) == [("A", True, True), ("B", False, True)]
    assert connection.scalar(text("SELECT count(*) FROM model_predictions")) == 1


def test_worker_with_the_former_champion_changes_nothing(connection: Connection) -> None:
    scan_id = done(connection, verdict("A"))
    champion(connection, "B")
    rereads.ask(connection, ALL, "", 10)
    reads(connection, scan_id, verdict("A"))
    assert history(connection) == [("A", False, False)]
    assert rereads.ended(connection, [scan_id]) == rereads.Ended(anew=0, failed=0, put_off=1)
    assert rereads.ask(connection, ALL, "", 10) == [scan_id]


def test_what_cannot_be_read_again_keeps_its_verdict(connection: Connection) -> None:
    scan_id = done(connection, verdict("A"))
    champion(connection, "B")
    rereads.ask(connection, ALL, "", 10)
    assert failed_reads.turn_away(connection, claimed(connection, scan_id), Reason.BYTES_MISSING, "x")
    assert counts_of_reread(connection) == (1, 0, 0, 1, 0, None)
    assert results_of(connection) == [("A", "normal")]
    assert connection.scalar(text("SELECT count(*) FROM quarantined_files")) == 0
    assert rereads.ended(connection, [scan_id]) == rereads.Ended(anew=0, failed=1, put_off=0)
    assert rereads.failures(connection) == {"bytes_missing": 1}
    assert (rereads.left(connection, ALL), rereads.ask(connection, ALL, "", 10)) == (0, [])
    rereads.begin(connection, ALL)  # another try
    assert rereads.ask(connection, ALL, "", 10) == [scan_id]
    reads(connection, scan_id, verdict("B"))
    assert rereads.failures(connection) == {}


@pytest.mark.parametrize(("cause", "reason"), READ_FAILURES.items())
def test_the_second_blame_ends_it_with_its_verdict(connection: Connection, cause: Cause, reason: Reason) -> None:
    scan_id = done(connection, verdict("A"))
    champion(connection, "B")
    rereads.ask(connection, ALL, "", 10)
    assert not leases.let_go(connection, claimed(connection, scan_id), KINDS, cause)
    assert leases.let_go(connection, claimed(connection, scan_id), KINDS, cause)
    assert rereads.failures(connection) == {reason.value: 1}
    assert counts_of_reread(connection) == (1, 0, 0, 1, 0, None)


def test_one_that_kills_workers_alone_ends_with_its_verdict(connection: Connection) -> None:
    scan_id = done(connection, verdict("A"))
    champion(connection, "B")
    rereads.ask(connection, ALL, "", 10)
    for _ in range(4):
        claim = claimed(connection, scan_id)
        if claim.alone:
            job_leases.note_alone(connection, claim)
        assert job_leases.free_slot(connection, SLOT, "boot1") == 1
        assert counts_of_reread(connection) == (1, 0, 0, 1, 0, None)
    assert leases.condemn(connection, KINDS) == 1
    assert connection.scalar(text("SELECT count(*) FROM quarantined_files")) == 0
    assert rereads.failures(connection) == {"reader_died": 1}
    assert results_of(connection) == [("A", "normal")]


def test_lost_lease_leaves_it_waiting_and_voids_a_late_answer(connection: Connection) -> None:
    scan_id = done(connection, verdict("A"))
    champion(connection, "B")
    rereads.ask(connection, ALL, "", 10)
    late = claimed(connection, scan_id)
    connection.execute(update(jobs_table).values(lease_until=now(-1)))
    assert leases.expire(connection, KINDS)[0] == 1
    assert not record(connection, late, FACTS, verdict("C", "covid19"))
    assert not failed_reads.turn_away(connection, late, Reason.TRUNCATED, "x")
    assert results_of(connection) == [("A", "normal")]
    reads(connection, scan_id, verdict("B"))
    assert history(connection) == [("A", True, False), ("B", False, False)]


def test_what_only_waits_can_be_called_back(connection: Connection) -> None:
    waits, is_read = done(connection, verdict("A")), done(connection, verdict("A"))
    champion(connection, "B")
    rereads.ask(connection, ALL, "", 10)
    claim = claimed(connection, is_read)
    rereads.call_back(connection)
    assert rereads.asked(connection) == {is_read}
    assert claim_scan(connection, waits, OWNER) is None  # a doorbell that still lies in Redis is heard for nothing
    assert record(connection, claim, FACTS, verdict("B"))
    assert counts_of_reread(connection) == (2, 0, 0, 2, 0, None)


def test_they_are_asked_for_by_their_verdict_some_at_a_time(connection: Connection) -> None:
    covid = done(connection, verdict("A", "covid19"))
    review = done(connection, verdict("A", status=Status.REVIEW))
    rejected = done(connection, Verdict("admission-1", Status.REJECTED, reason=Reason.NOT_CHEST))
    done(connection, verdict("B"))
    champion(connection, "B")
    assert rereads.left(connection, ALL) == 3
    assert rereads.left(connection, Choice(finding="covid19")) == 1
    assert rereads.ask(connection, Choice(finding="covid19"), "", 10) == [covid]
    assert rereads.ask(connection, Choice(status=Status.REVIEW), "", 10) == [review]
    rereads.call_back(connection)
    assert [rereads.ask(connection, ALL, after, 1) for after in ("", covid, review, rejected)] == [[covid], [review], [rejected], []]
    rereads.call_back(connection)
    middle = connection.scalar(select(scans.c.received_at).where(scans.c.id == review))
    connection.execute(update(scans).where(scans.c.id == covid).values(received_at=now(-60)))
    assert rereads.ask(connection, Choice(since=middle), "", 10) == [review, rejected]


def test_they_wait_behind_all_others(connection: Connection) -> None:
    old = done(connection, verdict("A"))
    champion(connection, "B")
    rereads.ask(connection, ALL, "", 10)
    drops.accept(connection, Drop(new_id(), "f" * 64, 1, Priority.SCANS, None))
    live = connection.scalar(select(scans.c.id).where(scans.c.sha256 == "f" * 64))
    assert to_ring(connection, Priority.SCANS, 10, Look(0.0)) == [live]
    assert background(connection) == [old]
    job_doorbells.note_rung(connection, [job_of(connection, old)])
    assert background(connection) == []


def test_the_same_bytes_dropped_again_as_urgent_change_nothing(connection: Connection) -> None:
    scan_id = done(connection, verdict("A"))
    champion(connection, "B")
    rereads.ask(connection, ALL, "", 10)
    sha256 = str(connection.scalar(select(scans.c.sha256)))
    assert drops.accept(connection, Drop(new_id(), sha256, 10, Priority.STAT, None)) is Outcome.DUPLICATE
    assert connection.scalar(text("SELECT priority FROM scan_results")) == "scans"
    assert background(connection) == [scan_id]


def test_what_changed_is_told_from_where_it_was_begun(connection: Connection) -> None:
    findings = ["covid19", "covid19", "normal", "normal"]
    ids = [done(connection, verdict("A", finding)) for finding in findings]
    champion(connection, "B")
    order = rereads.begin(connection, ALL)
    assert not order.resumed
    rereads.ask(connection, ALL, "", 10)
    for scan_id, finding in zip(ids[:3], ("covid19", "normal", "normal"), strict=True):
        reads(connection, scan_id, verdict("B", finding))
    rereads.call_back(connection)
    assert rereads.left(connection, ALL) == 1
    order = rereads.begin(connection, ALL)  # stopped there, and asked for anew
    assert order.resumed
    rereads.ask(connection, ALL, "", 10)
    reads(connection, ids[3], verdict("B", "normal", Status.REVIEW))
    changed = [
        Change("xray", "covid19", "covid19", "accepted", "accepted", 1),
        Change("xray", "covid19", "normal", "accepted", "accepted", 1),
        Change("xray", "normal", "normal", "accepted", "accepted", 1),
        Change("xray", "normal", "normal", "accepted", "review", 1),
    ]
    assert rereads.changes(connection, order) == changed
    covid = Order(order.id, Choice(finding="covid19"), order.began_at, resumed=True)
    assert rereads.changes(connection, covid) == changed[:2]
    rereads.end(connection, order)
    champion(connection, "A")
    order = rereads.begin(connection, ALL)
    assert not order.resumed
    rereads.ask(connection, ALL, "", 1)
    reads(connection, ids[0], verdict("A", "covid19"))
    assert rereads.changes(connection, order) == changed[:1]


def test_reprocess_goes_on_for_the_same_filters_and_champions(connection: Connection) -> None:
    since = datetime(2026, 11, 1, 8, 0, 0, 1000, tzinfo=UTC)
    choice = Choice(since, "normal", Status.REVIEW)
    begun = rereads.begin(connection, choice)
    assert rereads.begin(connection, choice).id == begun.id
    others = (Choice(since.replace(microsecond=2000), "normal", Status.REVIEW), Choice(since, "normal"), ALL)
    assert not [value for value in others if rereads.begin(connection, value).resumed]
    champion(connection, "B")
    assert rereads.begin(connection, choice).id != begun.id
