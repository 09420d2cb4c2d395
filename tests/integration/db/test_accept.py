"""Many drops entered at once, on both databases: the same as one by one."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine, text

from db.drops import Drop, accept_all
from db.tables import Outcome, Priority
from db.writer import Writer
from lungline.ids import new_id
from lungline.reasons import Reason
from tests.ledger import claim_scan
from workers import failed_reads


def drop(number: int, priority: Priority = Priority.SCANS, stay_key: str | None = None) -> Drop:
    return Drop(new_id(), f"{number:064x}", 7, priority, None, stay_key)


def enter(engine: Engine, drops: list[Drop]) -> list[Outcome]:
    with engine.begin() as connection:
        return accept_all(connection, drops)


def counts(engine: Engine, statement: str) -> dict[str, int]:
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(text(statement))}


def outcomes(engine: Engine) -> dict[str, int]:
    return counts(engine, "SELECT outcome, count(*) FROM files GROUP BY outcome")


def test_more_than_one_statement_takes(engine: Engine) -> None:
    drops = [drop(number) for number in range(2500)]
    assert enter(engine, drops) == [Outcome.ACCEPTED] * 2500
    assert enter(engine, drops) == [Outcome.ACCEPTED] * 2500  # asked again after a crash
    assert outcomes(engine) == {"accepted": 2500}
    assert counts(engine, "SELECT state, count(*) FROM jobs GROUP BY state") == {"waiting": 2500}


def test_no_drop_is_no_work(engine: Engine) -> None:
    assert enter(engine, []) == []


def test_duplicates_of_each_other_and_of_what_stands(engine: Engine) -> None:
    enter(engine, [drop(1)])
    drops = [drop(1), drop(2), drop(2), drop(3), drop(2)]
    answers = enter(engine, drops)
    assert answers == [Outcome.DUPLICATE, Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.ACCEPTED, Outcome.DUPLICATE]
    assert enter(engine, [*drops, drop(4)]) == [*answers, Outcome.ACCEPTED]
    assert outcomes(engine) == {"accepted": 4, "duplicate": 3}
    assert counts(engine, "SELECT 'scans', count(*) FROM scans") == {"scans": 4}


def test_what_stays_in_the_inbox_counts_once(engine: Engine) -> None:
    first = [drop(1, stay_key="a" * 16), drop(2, stay_key="b" * 16)]
    assert enter(engine, first) == [Outcome.ACCEPTED] * 2
    repeated = [drop(3, stay_key="b" * 16), drop(2, stay_key="a" * 16), drop(4, stay_key="c" * 16)]
    assert enter(engine, repeated) == [Outcome.DUPLICATE, Outcome.DUPLICATE, Outcome.ACCEPTED]
    assert outcomes(engine) == {"accepted": 3}


def test_urgent_duplicate_makes_its_scan_urgent(engine: Engine) -> None:
    enter(engine, [drop(1), drop(2), drop(3)])
    with engine.begin() as connection:
        scan_id = connection.scalar(text("SELECT id FROM scans WHERE sha256 = :sha256"), {"sha256": drop(2).sha256})
        claim = claim_scan(connection, str(scan_id), "slot/boot/x")
        assert claim is not None
        assert failed_reads.turn_away(connection, claim, Reason.NOT_AN_IMAGE, "x")
    enter(engine, [drop(1, Priority.STAT), drop(2), drop(4)])
    assert counts(engine, "SELECT priority, count(*) FROM scans GROUP BY priority") == {"stat": 1, "scans": 3}
    assert counts(engine, "SELECT state, count(*) FROM jobs GROUP BY state") == {"waiting": 4}


def test_two_watchers_enter_the_same_bytes_in_other_orders(engine: Engine) -> None:
    """They wait for each other, never in a circle: PostgreSQL would end one of them."""
    numbers = range(300)
    writers = [Writer(engine), Writer(engine)]
    orders = ([drop(number) for number in numbers], [drop(number) for number in reversed(numbers)])

    def work(which: int) -> list[Outcome]:
        return writers[which].do(accept_all, orders[which])

    try:
        with ThreadPoolExecutor(2) as threads:
            answers = [answer for done in threads.map(work, range(2)) for answer in done]
    finally:
        for writer in writers:
            writer.close()
    assert (answers.count(Outcome.ACCEPTED), answers.count(Outcome.DUPLICATE)) == (300, 300)
    assert outcomes(engine) == {"accepted": 300, "duplicate": 300}
