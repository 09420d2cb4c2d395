"""What a worker holds: many jobs beside each other, or one alone."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, select, update

from db import job_leases, scans
from db.clock import now
from db.tables import jobs as jobs_table
from db.writer import Writer
from jobs import leases as leases_module
from jobs.kinds import KINDS, READ
from jobs.leases import Leases
from tests.ledger import any_drop, claim_scan, enter, state_of
from tests.waiting import wait_for


def waiting(writer: Writer, lost_leases: int = 0) -> str:
    scan_id = enter(writer, any_drop())
    lost = update(jobs_table).where(jobs_table.c.subject == scan_id).values(lost_leases=lost_leases)
    writer.do(lambda connection: connection.execute(lost))
    return scan_id


@pytest.fixture
def leases(writer: Writer) -> Iterator[Leases]:
    leases = Leases(writer, "slot")
    yield leases
    leases.stop()


def test_one_block_at_a_time_has_a_job(writer: Writer, leases: Leases) -> None:
    scan_id = waiting(writer)
    with leases.claim((READ,), scan_id, scans.find) as first, leases.claim((READ,), scan_id, scans.find) as second:
        assert first is not None
        assert first[1].scan_id == scan_id
        assert second is None


def test_of_two_doorbells_answered_at_once_one_gets_the_job(writer: Writer, leases: Leases) -> None:
    scan_id, other = waiting(writer), waiting(writer)
    claimed: dict[str, int] = {scan_id: 0, other: 0}
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        assert go_on.wait(20)

    def answer(subject: str) -> None:
        with leases.claim((READ,), subject, scans.find) as found:
            if found is not None:
                assert found[1].scan_id == found[0].subject == subject
                claimed[subject] += 1

    threads = [threading.Thread(target=writer.do, args=(hold,))]
    threads[0].start()
    assert begun.wait(20)
    threads += [threading.Thread(target=answer, args=(subject,)) for subject in (scan_id, scan_id, other)]
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert claimed == {scan_id: 1, other: 1}


def test_job_that_lost_two_leases_is_done_alone(writer: Writer, leases: Leases) -> None:
    company, suspect, later = waiting(writer), waiting(writer, lost_leases=2), waiting(writer)
    order: list[str] = []
    entered, leave = threading.Event(), threading.Event()

    def read(scan_id: str, name: str, wait: threading.Event | None) -> None:
        with leases.claim((READ,), scan_id, scans.find) as found:
            assert found is not None
            order.append(f"{name} begins")
            entered.set()
            if wait is not None:
                assert wait.wait(20)
            order.append(f"{name} ends")

    first = threading.Thread(target=read, args=(company, "company", leave))
    first.start()
    assert entered.wait(20)
    second = threading.Thread(target=read, args=(suspect, "suspect", None))
    second.start()
    claimed = select(jobs_table.c.id).where(jobs_table.c.subject == suspect, jobs_table.c.state == "running")
    wait_for(lambda: writer.do(lambda connection: connection.scalar(claimed)), "the claim of the suspect, which waits for the first to end")
    third = threading.Thread(target=read, args=(later, "later", None))
    third.start()
    leave.set()
    for thread in (first, second, third):
        thread.join(20)
    assert order.index("suspect ends") == order.index("suspect begins") + 1
    assert order[:2] == ["company begins", "company ends"]
    assert set(order) == {f"{name} {what}" for name in ("company", "suspect", "later") for what in ("begins", "ends")}


def test_leases_in_hand_are_renewed(writer: Writer) -> None:
    leases = Leases(writer, "slot", renew_seconds=0.05)
    with leases.claim((READ,), waiting(writer), scans.find):
        writer.do(lambda connection: connection.execute(update(jobs_table).values(lease_until=now(-1))))
        renewed = select(jobs_table.c.id).where(jobs_table.c.lease_until > now(30))
        wait_for(lambda: writer.do(lambda connection: connection.scalar(renewed)), "the renewal")
    leases.stop()


def test_claim_that_another_worker_took_over_is_no_longer_had(writer: Writer) -> None:
    leases = Leases(writer, "slot", renew_seconds=0.05)
    with leases.claim((READ,), waiting(writer), scans.find) as found:
        assert found is not None
        assert leases.has(found[0])
        writer.do(lambda connection: connection.execute(update(jobs_table).values(owner="another/boot/x")))
        wait_for(lambda: not leases.has(found[0]), "the renewal that finds it gone")
    leases.stop()


def test_worker_takes_over_from_its_dead_predecessor(writer: Writer) -> None:
    scan_id = waiting(writer)
    dead = Leases(writer, "slot")
    dead.stop()
    writer.do(claim_scan, scan_id, dead.owner)
    leases = Leases(writer, "slot")
    with leases.claim((READ,), scan_id, scans.find) as found:
        assert found is not None
    leases.stop()


def test_job_claimed_anew_after_its_lease_ran_out_stays_in_hand(writer: Writer, leases: Leases) -> None:
    scan_id = waiting(writer)
    late = leases.claim((READ,), scan_id, scans.find)
    assert late.__enter__() is not None
    writer.do(lambda connection: connection.execute(update(jobs_table).values(lease_until=now(-1))))
    writer.do(leases_module.expire, KINDS)
    with leases.claim((READ,), scan_id, scans.find) as anew:
        assert anew is not None
        late.__exit__(None, None, None)
        assert leases.has(anew[0])


def test_scan_that_two_workers_died_of_alone_is_given_up(writer: Writer) -> None:
    scan_id = waiting(writer, lost_leases=2)
    for _ in range(2):
        dead = Leases(writer, "slot")
        dead.stop()
        claim = writer.do(claim_scan, scan_id, dead.owner)
        assert claim is not None
        writer.do(job_leases.note_alone, claim)
    Leases(writer, "slot").stop()
    assert writer.do(state_of, scan_id) == "quarantined"
