"""Training runs: entered once, claimed by one, resumed by another, and given up in the end."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, select, text, update
from sqlalchemy.exc import IntegrityError

from db import runs
from db.clock import now
from db.doorbells import Look
from db.runs import LEASE_SECONDS, MOST_BARREN, RunClaim
from db.tables import RunState
from db.tables import runs as table
from lungline.schedule import Schedule

EVERY_MINUTE = Schedule("* * * * *", UTC)


def entered(connection: Connection) -> str:
    run_id = runs.enter(connection, "hand", "xray-cnn")
    assert run_id
    return run_id


def claimed(connection: Connection, run_id: str, owner: str = "slot/boot/a") -> RunClaim:
    claim = runs.claim(connection, run_id, owner)
    assert claim
    return claim


def row(connection: Connection) -> dict[str, object]:
    return dict(connection.execute(text("SELECT * FROM training_runs ORDER BY entered_at DESC")).mappings().first() or {})


def born(connection: Connection, ago: timedelta) -> None:
    since = (datetime.now(UTC) - ago).isoformat()
    connection.execute(text("UPDATE facts SET value = :since WHERE name = 'since'"), {"since": since})


def test_no_slot_from_before_the_home_existed(connection: Connection) -> None:
    assert runs.enter_due(connection, Schedule("0 3 * * 0", UTC)) is None


def test_the_latest_slot_is_caught_up_once_and_no_older_one(connection: Connection) -> None:
    born(connection, timedelta(days=30))
    weekly = Schedule("0 3 * * 0", UTC)
    run_id = runs.enter_due(connection, weekly)
    assert run_id
    assert runs.enter_due(connection, weekly) is None
    told = connection.execute(text("SELECT slot, trigger, state FROM training_runs")).one()
    assert (told.trigger, told.state) == ("schedule", "waiting")
    assert str(told.slot)[:16].replace(" ", "T") == weekly.latest(datetime.now(UTC)).isoformat()[:16]


def test_of_two_dispatchers_one_enters_a_slot(engine: Engine) -> None:
    with engine.begin() as connection:
        born(connection, timedelta(hours=1))

    def enter(_: int) -> str | None:
        with engine.begin() as connection:
            return runs.enter_due(connection, Schedule("0 * * * *", UTC))

    with ThreadPoolExecutor(6) as threads:
        assert len([run_id for run_id in threads.map(enter, range(6)) if run_id]) <= 1
    with engine.begin() as connection:
        slots = connection.execute(text("SELECT count(*) FROM training_runs")).scalar()
        assert slots == 1


def test_another_crontab_catches_up_nothing_older_than_the_last_slot(connection: Connection) -> None:
    born(connection, timedelta(days=400))
    assert runs.enter_due(connection, EVERY_MINUTE)
    assert runs.enter_due(connection, Schedule("0 3 1 1 *", UTC)) is None


def test_a_slot_of_before_the_clock_was_set_back_blocks_no_other(connection: Connection) -> None:
    born(connection, timedelta(days=30))
    hourly = Schedule("0 * * * *", UTC)
    assert runs.enter(connection, "schedule", slot=datetime.now(UTC) + timedelta(days=3650))
    assert runs.enter_due(connection, hourly)
    assert runs.enter_due(connection, hourly) is None


def test_never_two_at_once(engine: Engine) -> None:
    with engine.begin() as connection:
        waiting = [entered(connection) for _ in range(4)]

    def claim(number: int) -> RunClaim | None:
        try:
            with engine.begin() as connection:
                return runs.claim(connection, waiting[number % 4], f"slot-{number}/boot/a")
        except IntegrityError:  # PostgreSQL: the index refuses the second
            return None

    with ThreadPoolExecutor(8) as threads:
        claims = [one for one in threads.map(claim, range(8)) if one]
    assert len(claims) == 1
    with engine.begin() as connection:
        assert runs.finish(connection, claims[0], RunState.DONE, "held", "held")
        assert sum(runs.claim(connection, run_id, "other/boot/a") is not None for run_id in waiting) == 1


def test_a_claim_that_ran_out_is_void(connection: Connection) -> None:
    run_id = entered(connection)
    first = claimed(connection, run_id)
    assert runs.tell(connection, first, {"epochs_done": 3, "step": "xray-cnn: 3 epochs done"})
    connection.execute(update(table).values(lease_until=now(6 * 3600)))  # before the clock was set back
    assert runs.expire(connection) == 0  # whoever lives goes on
    assert connection.scalar(select(table.c.lease_until <= now(LEASE_SECONDS)))
    connection.execute(update(table).values(lease_until=now(-1)))
    assert runs.expire(connection) == 1
    assert runs.to_ring(connection, 9, None) == [run_id]
    second = claimed(connection, run_id, "slot/boot/b")
    assert second.epochs_done == 3
    assert runs.renew(connection, first) is None
    assert not runs.tell(connection, first, {"epochs_done": 9})
    assert not runs.finish(connection, first, RunState.DONE, "promoted", "promoted")
    assert runs.renew(connection, second) == (3, "xray-cnn: 3 epochs done")
    told = row(connection)
    assert (told["state"], told["resumed"], told["epochs_done"], told["decision"]) == ("running", 1, 3, None)


def test_a_worker_that_starts_again_goes_on_at_once_and_one_that_stops_is_not_blamed(connection: Connection) -> None:
    run_id = entered(connection)
    claimed(connection, run_id, "slot/boot/a")
    assert runs.free_slot(connection, "slo") == 0
    assert runs.free_slot(connection, "slot") == 1
    for _ in range(MOST_BARREN + 2):
        runs.give_back(connection, claimed(connection, run_id, "slot/boot/b"))
    assert row(connection)["state"] == "waiting"


def test_a_run_that_never_gets_on_is_given_up(connection: Connection) -> None:
    run_id = entered(connection)
    for _ in range(MOST_BARREN - 1):
        runs.let_go(connection, claimed(connection, run_id))
    getting_on = claimed(connection, run_id)
    runs.tell(connection, getting_on, {"epochs_done": 1})
    runs.let_go(connection, getting_on)
    for _ in range(MOST_BARREN):
        runs.let_go(connection, claimed(connection, run_id))
    assert runs.claim(connection, run_id, "slot/boot/a") is None
    told = row(connection)
    assert told["state"] == "failed"
    assert "without finishing an epoch" in str(told["reason"])


def test_doorbells_are_rung_until_they_are_heard(connection: Connection) -> None:
    run_id = entered(connection)
    assert runs.to_ring(connection, 9, None) == [run_id]
    runs.rung(connection, [run_id])
    assert runs.to_ring(connection, 9, None) == []
    assert runs.to_ring(connection, 9, Look(30.0)) == []
    connection.execute(update(table).values(rung_at=now(-31)))
    assert runs.to_ring(connection, 9, Look(30.0)) == [run_id]
    connection.execute(update(table).values(rung_at=now(6 * 3600)))  # before the clock was set back
    assert runs.to_ring(connection, 9, Look(30.0)) == [run_id]
    claimed(connection, run_id)
    assert runs.to_ring(connection, 9, Look(0.0)) == []


def test_every_end_stands_in_the_audit(connection: Connection) -> None:
    run_id = entered(connection)
    assert runs.finish(connection, claimed(connection, run_id), RunState.SKIPPED, "Nothing is new.")
    told = connection.execute(text("SELECT action, subject, detail FROM audit")).one()
    assert tuple(told) == ("run", run_id, "skipped: Nothing is new.")
    assert runs.last_done(connection) is None
