"""Training runs: entered once, claimed by one, resumed by another, and given up in the end."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, text, update

from db import job_leases, runs
from db.clock import now
from db.jobs import Claim
from db.tables import RunOutcome
from db.tables import jobs as jobs_table
from jobs.kinds import TRAIN
from jobs.leases import expire, free_slot, let_go
from lungline.schedule import Schedule
from tests.ledger import claim_run, is_held, to_ring

EVERY_MINUTE = Schedule("* * * * *", UTC)


def entered(connection: Connection) -> str:
    run_id = runs.enter(connection, "hand", ["xray-cnn"])
    assert run_id
    return run_id


def claimed(connection: Connection, run_id: str, owner: str = "slot/boot/a") -> Claim:
    claim = claim_run(connection, run_id, owner)
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
    fetched = connection.execute(text("SELECT slot, trigger, state FROM training_runs")).one()
    assert (fetched.trigger, fetched.state) == ("schedule", "waiting")
    assert str(fetched.slot)[:16].replace(" ", "T") == weekly.latest(datetime.now(UTC)).isoformat()[:16]


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


def test_changed_crontab_catches_up_nothing_before_last_slot(connection: Connection) -> None:
    born(connection, timedelta(days=400))
    assert runs.enter_due(connection, EVERY_MINUTE)
    assert runs.enter_due(connection, Schedule("0 3 1 1 *", UTC)) is None


def test_slot_from_before_a_clock_reset_blocks_no_other(connection: Connection) -> None:
    born(connection, timedelta(days=30))
    hourly = Schedule("0 * * * *", UTC)
    assert runs.enter(connection, "schedule", slot=datetime.now(UTC) + timedelta(days=3650))
    assert runs.enter_due(connection, hourly)
    assert runs.enter_due(connection, hourly) is None


def test_never_two_at_once(engine: Engine) -> None:
    with engine.begin() as connection:
        waiting = [entered(connection) for _ in range(4)]

    def claim(number: int) -> Claim | None:
        with engine.begin() as connection:
            return claim_run(connection, waiting[number % 4], f"slot-{number}/boot/a")

    with ThreadPoolExecutor(8) as threads:
        claims = [claim for claim in threads.map(claim, range(8)) if claim]
    assert len(claims) == 1
    with engine.begin() as connection:
        assert runs.finish(connection, claims[0], RunOutcome.DONE, "held", "held")
        assert sum(claim_run(connection, run_id, "other/boot/a") is not None for run_id in waiting) == 1


def test_claim_that_ran_out_is_void(connection: Connection) -> None:
    run_id = entered(connection)
    first = claimed(connection, run_id)
    runs.begin(connection, run_id)
    assert runs.note(connection, first, {"epochs_done": 3, "step": "xray-cnn: 3 epochs done"})
    connection.execute(update(jobs_table).values(lease_until=now(-1)))
    assert expire(connection, [TRAIN]) == (1, 0)
    assert to_ring(connection, runs.QUEUE, 9) == [run_id]
    second = claimed(connection, run_id, "slot/boot/b")
    assert runs.begin(connection, run_id).epochs_done == 3
    assert not is_held(connection, first)
    assert not runs.note(connection, first, {"epochs_done": 9})
    assert not runs.finish(connection, first, RunOutcome.DONE, "promoted", "promoted")
    assert is_held(connection, second)
    assert runs.note_alive(connection, run_id) == (3, "xray-cnn: 3 epochs done")
    shown = row(connection)
    assert (shown["state"], shown["resumed"], shown["epochs_done"], shown["decision"]) == ("running", 1, 3, None)


def test_restarted_worker_goes_on_and_a_stop_is_no_blame(connection: Connection) -> None:
    run_id = entered(connection)
    claimed(connection, run_id, "slot/boot/a")
    assert free_slot(connection, [TRAIN], "slo", "boot") == (0, 0)
    assert free_slot(connection, [TRAIN], "slot", "boot") == (1, 0)
    for _ in range(runs.DEATHS_ALLOWED + 3):
        job_leases.give_back(connection, [claimed(connection, run_id, "slot/boot/b")])
    assert row(connection)["state"] == "waiting"


def test_run_that_never_gets_on_is_given_up(connection: Connection) -> None:
    run_id = entered(connection)
    for _ in range(runs.DEATHS_ALLOWED):
        let_go(connection, claimed(connection, run_id), [TRAIN])
    getting_on = claimed(connection, run_id)
    runs.note(connection, getting_on, {"epochs_done": 1})
    let_go(connection, getting_on, [TRAIN])
    for _ in range(runs.DEATHS_ALLOWED):
        let_go(connection, claimed(connection, run_id), [TRAIN])
    assert claim_run(connection, run_id) is None
    shown = row(connection)
    assert shown["state"] == "failed"
    assert "without finishing an epoch" in str(shown["reason"])


def test_run_whose_worker_is_killed_time_and_again_is_given_up(connection: Connection) -> None:
    run_id = entered(connection)
    for _ in range(runs.DEATHS_ALLOWED + 1):
        claimed(connection, run_id)
        free_slot(connection, [TRAIN], "slot", "boot")
    assert row(connection)["state"] == "failed"


def test_every_end_stands_in_the_audit(connection: Connection) -> None:
    run_id = entered(connection)
    assert runs.finish(connection, claimed(connection, run_id), RunOutcome.SKIPPED, "Nothing is new.")
    fetched = connection.execute(text("SELECT action, subject, detail FROM audit")).one()
    assert tuple(fetched) == ("run", run_id, "skipped: Nothing is new.")
    assert runs.last_done(connection) is None
