"""What a worker holds: many scans beside each other, or one alone."""

import threading

import pytest
from sqlalchemy import select, update

from db import ledger
from db.clock import now
from db.tables import scans
from db.writer import Writer
from lungline.settings import load
from tests.entered import any_drop, enter
from tests.waiting import wait_for
from workers import lease
from workers.lease import Leases


def waiting(writer: Writer, lost_leases: int = 0) -> str:
    scan_id = enter(writer, any_drop())
    writer.do(lambda connection: connection.execute(update(scans).where(scans.c.id == scan_id).values(lost_leases=lost_leases)))
    return scan_id


def test_a_scan_is_had_by_one_block_at_a_time(writer: Writer) -> None:
    leases = Leases(writer, "slot")
    scan_id = waiting(writer)
    with leases.claim(scan_id) as mine, leases.claim(scan_id) as again:
        assert mine is not None
        assert again is None
    leases.stop()


def test_a_scan_that_lost_two_leases_is_read_alone(writer: Writer) -> None:
    leases = Leases(writer, "slot")
    company, suspect, later = waiting(writer), waiting(writer, lost_leases=2), waiting(writer)
    order: list[str] = []
    entered, leave = threading.Event(), threading.Event()

    def read(scan_id: str, name: str, wait: threading.Event | None) -> None:
        with leases.claim(scan_id) as claim:
            assert claim is not None
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
    wait_for(lambda: leases._alone, "the claim of the suspect, which waits for the first to end")
    third = threading.Thread(target=read, args=(later, "later", None))
    third.start()
    leave.set()
    for thread in (first, second, third):
        thread.join(20)
    assert order == ["company begins", "company ends", "suspect begins", "suspect ends", "later begins", "later ends"]
    leases.stop()


def test_what_is_in_hand_is_renewed(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    leases = Leases(writer, "slot")
    scan_id = waiting(writer)
    with leases.claim(scan_id):
        writer.do(lambda connection: connection.execute(update(scans).values(lease_until=now(-1))))
        renewed = select(scans.c.id).where(scans.c.lease_until > now(30))
        wait_for(lambda: writer.do(lambda connection: connection.scalar(renewed)), "the renewal")
    leases.stop()


def test_a_worker_takes_over_from_its_dead_predecessor(writer: Writer) -> None:
    scan_id = waiting(writer)
    dead = Leases(writer, "slot")
    dead.stop()
    writer.do(lambda connection: ledger.claim(connection, scan_id, dead.owner))
    leases = Leases(writer, "slot")
    with leases.claim(scan_id) as claim:
        assert claim is not None
    leases.stop()


def test_a_scan_claimed_anew_after_its_lease_ran_out_stays_in_hand(writer: Writer) -> None:
    leases = Leases(writer, "slot")
    scan_id = waiting(writer)
    late = leases.claim(scan_id)
    assert late.__enter__() is not None
    writer.do(lambda connection: connection.execute(update(scans).values(lease_until=now(-1))))
    writer.do(ledger.expire_leases)
    with leases.claim(scan_id) as anew:
        assert anew is not None
        late.__exit__(None, None, None)
        assert leases._hand == {anew}
    leases.stop()


def test_a_scan_that_two_workers_died_of_alone_is_not_read_a_third_time(writer: Writer) -> None:
    scan_id = waiting(writer, lost_leases=2)
    for _ in range(2):
        dead = Leases(writer, "slot")
        dead.stop()
        claim = writer.do(lambda connection, dead=dead: ledger.claim(connection, scan_id, dead.owner))  # type: ignore[misc]
        assert claim is not None
        writer.do(lambda connection, claim=claim: ledger.read_alone(connection, claim))  # type: ignore[misc]
    leases = Leases(writer, "slot")
    leases.stop()
    assert writer.do(lambda connection: connection.scalar(select(scans.c.state))) == "quarantined"


def test_a_home_whose_path_is_no_utf_8_has_a_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_HOME", "/srv/caf\udce9")
    assert lease.site(load())
