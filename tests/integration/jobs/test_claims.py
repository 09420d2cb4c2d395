"""The ledger on real SQLite and real PostgreSQL: who may change a scan's state, and when."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine, event, func, select, text, update

from db import drops, job_doorbells, job_leases, jobs, results, status
from db import scans as scan_states
from db.clock import now
from db.connect import connect, read_only
from db.drops import Drop
from db.job_doorbells import Look
from db.job_leases import Cause
from db.jobs import Claim, NewJob
from db.results import ScanFacts, Verdict
from db.scans import State
from db.tables import Outcome, Priority, Rank, quarantine, scans, verdicts
from db.tables import jobs as jobs_table
from db.writer import Writer
from jobs import leases
from jobs.kinds import KINDS, READ, READ_FAILURES, REREAD
from lungline.findings import Modality, Status
from lungline.ids import new_id
from lungline.reasons import Reason
from tests.ledger import claim_scan, find_scan, job_of, record, to_ring
from workers import failed_reads

FACTS = ScanFacts(Modality.XRAY, 10, 20, patient_key="0123456789abcdef")
VERDICT = Verdict("e-1", Status.ACCEPTED, "normal", 0.7, None, 0.0, 0.5, {"normal": 0.7, "covid19": 0.3}, [("m", "m-1", {"normal": 1.0})])
OWNER = "home-host-inference-0/boot1/aaaa"


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


def drop(sha256: str = "a" * 64, priority: Priority = Priority.SCANS, **more: str) -> Drop:
    return Drop(new_id(), sha256, 10, priority, None, **more)


def waiting(connection: Connection, sha256: str = "a" * 64) -> str:
    assert drops.accept(connection, drop(sha256)) is Outcome.ACCEPTED
    return str(connection.scalar(select(scans.c.id).where(scans.c.sha256 == sha256)))


def claimed(connection: Connection, scan_id: str, owner: str = OWNER) -> Claim:
    claim = claim_scan(connection, scan_id, owner)
    assert claim is not None
    return claim


def state(connection: Connection, scan_id: str) -> str:
    return str(connection.scalar(select(scan_states.state_of(scans.c.id)).where(scans.c.id == scan_id)))


def test_same_bytes_are_one_scan_and_every_drop_counts(connection: Connection) -> None:
    first = drop()
    assert drops.accept(connection, first) is Outcome.ACCEPTED
    assert drops.accept(connection, first) is Outcome.ACCEPTED  # asked again after a crash
    assert drops.accept(connection, drop()) is Outcome.DUPLICATE
    drops.refuse(connection, drop("b" * 64), Reason.EMPTY)
    connection.commit()
    counts = status.counts(connection.engine)
    assert {name: counts[name] for name in ("files", "accepted", "duplicates", "refused", "scans", "waiting")} == {
        "files": 3,
        "accepted": 1,
        "duplicates": 1,
        "refused": 1,
        "scans": 1,
        "waiting": 1,
    }


def test_a_file_that_stays_in_the_inbox_counts_once(connection: Connection) -> None:
    drops.accept(connection, drop(stay_key="1" * 16))
    assert drops.accept(connection, drop(stay_key="1" * 16)) is Outcome.DUPLICATE
    assert not drops.refuse(connection, drop(stay_key="1" * 16), Reason.UNREADABLE)
    connection.commit()
    assert status.counts(connection.engine)["files"] == 1


def test_of_many_claimers_one_gets_the_scan(engine: Engine) -> None:
    with engine.begin() as connection:
        scan_id = waiting(connection)
    writers = [Writer(engine) for _ in range(4)]
    with ThreadPoolExecutor(16) as threads:
        claims = list(threads.map(lambda n: writers[n % 4].do(claim_scan, scan_id, f"owner/{n}"), range(16)))
    for writer in writers:
        writer.close()
    assert sum(claim is not None for claim in claims) == 1


def claim_all(connection: Connection, scan_ids: Sequence[str], owner: str) -> dict[str, Claim]:
    return jobs.claim(connection, (READ.name, REREAD.name), scan_ids, owner, READ.lease_seconds)


def test_many_scans_are_claimed_by_one_statement(engine: Engine) -> None:
    statements: list[str] = []
    with engine.begin() as connection:
        ids = [waiting(connection, f"{number:064}") for number in range(30)]
        assert claimed(connection, ids[0]) is not None
        event.listen(engine, "before_cursor_execute", lambda *heard: statements.append(heard[2]))
        claims = claim_all(connection, [*ids, "no scan"], OWNER)
    assert set(claims) == set(ids[1:])
    assert all(claim.subject == scan_id for scan_id, claim in claims.items())
    assert len(statements) == 1


def test_workers_that_claim_the_same_scans_share_them(engine: Engine) -> None:
    with engine.begin() as connection:
        ids = [waiting(connection, f"{number:064}") for number in range(60)]

    def claim_some(number: int) -> list[str]:
        got = []
        for start in range(0, 60, 10):  # in opposite orders
            some = ids[start : start + 20] if number % 2 else ids[::-1][start : start + 20]
            with engine.begin() as connection:
                got += list(claim_all(connection, some, f"slot/boot/{number}"))
        return got

    with ThreadPoolExecutor(6) as threads:
        got = [scan_id for found in threads.map(claim_some, range(6)) for scan_id in found]
    assert sorted(got) == sorted(ids)


def test_of_two_jobs_of_a_subject_the_most_urgent_is_claimed(connection: Connection) -> None:
    scan_id = waiting(connection)
    jobs.enter(connection, [NewJob(REREAD.name, scan_id, "scans", Rank.BACKGROUND)])
    assert claim_all(connection, [scan_id], OWNER)[scan_id].kind == READ.name
    assert claim_all(connection, [scan_id], OWNER)[scan_id].kind == REREAD.name


def test_verdicts_of_a_batch_are_written_for_claims_that_hold(connection: Connection) -> None:
    ids = [waiting(connection, f"{number:064}") for number in range(4)]
    claims = claim_all(connection, ids, OWNER)
    stale = claims[ids[1]]
    job_leases.give_back(connection, [stale])
    fresh = claim_all(connection, [ids[1]], OWNER)[ids[1]]
    batch = [(claims[ids[0]], FACTS, VERDICT), (stale, FACTS, VERDICT), (claims[ids[2]], FACTS, VERDICT)]
    assert results.record_all(connection, batch) == [True, False, True]
    assert set(connection.scalars(text("SELECT scan_id FROM scan_results"))) == {ids[0], ids[2]}
    assert [state(connection, scan_id) for scan_id in ids] == [State.DONE, State.READING, State.DONE, State.READING]
    assert results.record_all(connection, [(fresh, FACTS, VERDICT), *batch]) == [True, False, False, False]
    assert connection.scalar(text("SELECT count(*) FROM scan_probabilities")) == 6


def test_scans_of_a_priority_are_rung_the_oldest_first(connection: Connection) -> None:
    for number, priority in enumerate([Priority.SCANS, Priority.SCANS, Priority.STAT, Priority.SCANS]):
        drops.accept(connection, drop(str(number) * 64, priority))
    doorbells = [to_ring(connection, priority, 2, None) for priority in Priority]
    hashes = [[connection.scalar(select(scans.c.sha256).where(scans.c.id == scan_id)) for scan_id in ids] for ids in doorbells]
    assert hashes == [["2" * 64], ["0" * 64, "1" * 64]]


def test_a_waiting_scan_dropped_again_as_urgent_is_urgent(connection: Connection) -> None:
    scan_id = waiting(connection)
    job_doorbells.note_rung(connection, [job_of(connection, scan_id)])
    assert drops.accept(connection, drop(priority=Priority.STAT)) is Outcome.DUPLICATE
    assert to_ring(connection, Priority.STAT, 10, None) == [scan_id]


def test_doorbell_is_repeated_only_when_it_counts_as_lost(connection: Connection) -> None:
    scan_id = waiting(connection)
    job_doorbells.note_rung(connection, [job_of(connection, scan_id)])
    assert to_ring(connection, Priority.SCANS, 10, None) == []
    assert to_ring(connection, Priority.SCANS, 10, Look(60.0)) == []
    for rung_at in (now(-61), now(6 * 3600)):  # so long ago, or before the clock was set back
        connection.execute(update(jobs_table).values(rung_at=rung_at))
        assert to_ring(connection, Priority.SCANS, 10, None) == []
        assert to_ring(connection, Priority.SCANS, 10, Look(60.0)) == [scan_id]


def test_lease_ends_in_time_though_the_clock_was_set_back(connection: Connection) -> None:
    claim = claimed(connection, waiting(connection))
    connection.execute(update(jobs_table).values(lease_until=now(6 * 3600)))
    assert leases.expire(connection, KINDS)[0] == 0  # whoever lives goes on
    assert connection.scalar(select(jobs_table.c.lease_until <= now(READ.lease_seconds)))
    assert record(connection, claim, FACTS, VERDICT)


def test_a_verdict_is_written_once_and_only_by_the_holder(connection: Connection) -> None:
    scan_id = waiting(connection)
    stale = claimed(connection, scan_id)
    connection.execute(update(jobs_table).values(lease_until=now(-1)))
    assert leases.expire(connection, KINDS)[0] == 1
    fresh = claimed(connection, scan_id)  # the same owner, another attempt
    assert not record(connection, stale, FACTS, VERDICT)
    assert not failed_reads.turn_away(connection, stale, Reason.TRUNCATED, "x")
    assert record(connection, fresh, FACTS, VERDICT)
    assert not record(connection, fresh, FACTS, VERDICT)
    assert connection.scalar(text("SELECT count(*) FROM scan_results")) == 1
    assert connection.scalar(text("SELECT count(*) FROM scan_probabilities")) == 2
    assert claim_scan(connection, scan_id, OWNER) is None


def test_the_database_refuses_a_second_current_verdict(connection: Connection) -> None:
    scan_id = waiting(connection)
    record(connection, claimed(connection, scan_id), FACTS, VERDICT)
    row = {"id": new_id(), "scan_id": scan_id, "ensemble": "e-2", "finding": "normal", "status": "accepted", "finished_at": now()}
    with pytest.raises(Exception, match=r"UNIQUE|unique"):
        connection.execute(verdicts.insert().values(row))


def test_a_renewed_lease_does_not_run_out(connection: Connection) -> None:
    kept, lost = waiting(connection, "a" * 64), waiting(connection, "b" * 64)
    claimed(connection, kept)
    claimed(connection, lost)
    connection.execute(update(jobs_table).values(lease_until=now(-1)))
    job_leases.renew(connection, OWNER, [job_of(connection, kept)], READ.lease_seconds)
    assert leases.expire(connection, KINDS)[0] == 1
    assert (state(connection, kept), state(connection, lost)) == (State.READING, State.WAITING)


def test_returned_job_is_rung_at_once_without_blame(connection: Connection) -> None:
    scan_id = waiting(connection)
    job_doorbells.note_rung(connection, [job_of(connection, scan_id)])
    for _ in range(5):
        job_leases.give_back(connection, [claimed(connection, scan_id)])
    assert to_ring(connection, Priority.SCANS, 10, None) == [scan_id]
    assert not claimed(connection, scan_id).alone


def test_scan_that_kills_workers_is_read_alone_then_condemned(connection: Connection) -> None:
    scan_id = waiting(connection)
    for _ in range(2):
        assert not claimed(connection, scan_id).alone
        assert job_leases.free_slot(connection, "home-host-inference-0", "boot1") == 1
    for death in range(2):
        assert leases.condemn(connection, KINDS) == 0, death
        claim = claimed(connection, scan_id)
        assert claim.alone
        job_leases.note_alone(connection, claim)
        job_leases.free_slot(connection, "home-host-inference-0", "boot1")
    assert leases.condemn(connection, KINDS) == 1
    assert state(connection, scan_id) == State.QUARANTINED
    assert connection.scalar(text("SELECT reason FROM quarantined_files")) == Reason.READER_DIED


def test_a_power_cut_blames_nobody(connection: Connection) -> None:
    scan_id = waiting(connection)
    for _ in range(6):
        claim = claimed(connection, scan_id)
        job_leases.note_alone(connection, claim)
        assert job_leases.free_slot(connection, "home-host-inference-0", "boot2") == 1  # the host was started anew meanwhile
    assert leases.condemn(connection, KINDS) == 0
    assert not claimed(connection, scan_id).alone


def test_a_worker_frees_its_own_slot_alone(connection: Connection) -> None:
    mine, other = waiting(connection, "a" * 64), waiting(connection, "b" * 64)
    claimed(connection, mine)
    claimed(connection, other, "home-host-inference-01/boot1/bbbb")
    assert job_leases.free_slot(connection, "home-host-inference-0", "boot1") == 1
    assert (state(connection, mine), state(connection, other)) == (State.WAITING, State.READING)


@pytest.mark.parametrize(("cause", "reason"), READ_FAILURES.items())
def test_the_second_blame_quarantines(connection: Connection, cause: Cause, reason: Reason) -> None:
    scan_id = waiting(connection)
    assert not leases.let_go(connection, claimed(connection, scan_id), KINDS, cause)
    assert leases.let_go(connection, claimed(connection, scan_id), KINDS, cause)
    assert connection.scalar(text("SELECT reason FROM quarantined_files")) == reason
    assert state(connection, scan_id) == State.QUARANTINED


def test_a_release_starts_with_a_clean_slate(connection: Connection) -> None:
    scan_id = waiting(connection)
    for _ in range(2):
        leases.let_go(connection, claimed(connection, scan_id), KINDS)
    row = str(connection.scalar(select(quarantine.c.id)))
    assert scan_states.release(connection, row)
    assert not scan_states.release(connection, row)
    assert not leases.let_go(connection, claimed(connection, scan_id), KINDS)


def test_duplicate_drop_releases_a_quarantined_scan(connection: Connection) -> None:
    scan_id = waiting(connection)
    failed_reads.turn_away(connection, claimed(connection, scan_id), Reason.TRUNCATED, "x")
    assert drops.accept(connection, drop()) is Outcome.DUPLICATE
    assert state(connection, scan_id) == State.WAITING


def test_frames_are_entered_once(connection: Connection) -> None:
    claim = claimed(connection, waiting(connection))
    scan_states.enter_frames(connection, find_scan(connection, claim.subject), [2, 3])
    scan_states.enter_frames(connection, find_scan(connection, claim.subject), [2, 3, 4])
    frames = connection.scalars(select(scans.c.frame).order_by(scans.c.frame)).all()
    assert frames == [1, 2, 3, 4]


def test_ten_thousand_frames_are_not_ten_thousand_statements(engine: Engine) -> None:
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *described: statements.append(described[2]))
    with engine.begin() as connection:
        claim = claimed(connection, waiting(connection))
        statements.clear()
        scan_states.enter_frames(connection, find_scan(connection, claim.subject), range(2, 10_001))
        assert connection.scalar(select(func.count()).select_from(scans).where(scans.c.received_at <= now())) == 10_000
    assert len(statements) < 100


def test_a_writer_commits_each_job_by_itself(engine: Engine) -> None:
    writer = Writer(engine)

    def fails(connection: Connection) -> None:
        drops.accept(connection, drop("b" * 64))
        raise ValueError("own")

    with ThreadPoolExecutor(8) as threads:
        good = [threads.submit(writer.do, lambda c, n=n: drops.accept(c, drop(f"{n:064}"))) for n in range(50)]
        bad = threads.submit(writer.do, fails)
        assert {future.result() for future in good} == {Outcome.ACCEPTED}
        with pytest.raises(ValueError, match="own"):
            bad.result()
    writer.close()
    assert status.counts(engine)["files"] == 50


def test_views_are_the_same_on_both_databases(connection: Connection) -> None:
    record(connection, claimed(connection, waiting(connection)), FACTS, VERDICT)
    row = connection.execute(text("SELECT * FROM scan_results")).mappings().one()
    assert (row["finding"], row["probability"], row["rows"], row["priority"]) == ("normal", 0.7, 10, "scans")
    assert row["turnaround_seconds"] >= 0
    day = connection.execute(text("SELECT * FROM daily_counts")).mappings().one()
    assert (day["day"], day["scans"]) == (str(row["received_at"])[:10], 1)
    assert connection.scalar(text("SELECT count(*) FROM worklist")) == 0
    assert connection.scalar(text("SELECT superseded_at FROM scan_history")) is None


def test_worklist_has_surest_covid19_first_then_oldest_reviews(connection: Connection) -> None:
    found = [("covid19", 0.6), ("normal", 0.4), ("normal", 0.6), ("covid19", 0.9)]
    for number, (finding, probability) in enumerate(found):
        claim = claimed(connection, waiting(connection, f"{number:064}"))
        verdict = replace(VERDICT, status=Status.REVIEW, finding=finding, probability=probability)
        assert record(connection, claim, FACTS, verdict)
        connection.execute(update(scans).where(scans.c.id == claim.subject).values(received_at=now(number - 10)))
    rows = connection.execute(text("SELECT finding, probability FROM worklist LIMIT 20")).all()
    assert [tuple(row) for row in rows] == [("covid19", 0.9), ("covid19", 0.6), ("normal", 0.4), ("normal", 0.6)]


def test_a_reader_sees_one_snapshot(engine: Engine) -> None:
    with read_only(engine).connect() as reader:
        before = reader.scalar(text("SELECT count(*) FROM files"))
        with engine.begin() as connection:
            drops.accept(connection, drop())
        assert reader.scalar(text("SELECT count(*) FROM files")) == before
    assert status.counts(engine)["files"] == 1


def test_a_postgresql_server_that_vanished_is_noticed(postgres_url: str) -> None:
    engine = connect(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        answer = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
    engine.dispose()
    assert int(answer["tcp_user_timeout"]) <= 30_000
    assert int(answer["keepalives_idle"]) + int(answer["keepalives_interval"]) * int(answer["keepalives_count"]) <= 30
