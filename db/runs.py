"""Training runs: every change of a run's state, each one conditional UPDATE on the database's clock, as db/ledger.py does for scans.

    (slot or hand) --enter--> waiting --claim--> running --finish--> done | failed | skipped
                                 ^                  |--give_back,
                                 |                  |  expire, free_slot
Of all runs one is running at most; the database itself sees to that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, select, update

from db import audit
from db.audit import Action
from db.clock import now
from db.doorbells import Look, unheard
from db.insert import insert_new
from db.sparing import sparing
from db.tables import RunState, facts, runs
from lungline.errors import TrainingError
from lungline.ids import new_id
from lungline.schedule import Schedule

LEASE_SECONDS = 60.0
MOST_BARREN = 5  # attempts without an epoch finished: what ends them will end the next one, too

_SINCE = "since"
_LONGEST_REASON = 500
_DEFAULT_SEED = 0


@dataclass(frozen=True)
class RunClaim:
    """A worker's right to a run. Owner and attempt are the fence: any later claim makes this one void."""

    run_id: str
    owner: str
    attempt: int
    recipes: str
    forced: bool
    seed: int
    epochs_done: int


def enter(connection: Connection, trigger: str, recipes: str = "", *, slot: datetime | None = None, forced: bool = False) -> str | None:
    """Enters a run that waits; its id, or None if its slot was entered before.

    Args:
        connection: in a transaction.
        trigger: schedule or hand.
        recipes: comma-separated; empty: as the settings say when it begins.
        slot: of the schedule.
        forced: whether it trains even if nothing is new.
    """
    run_id = new_id()
    row = {"slot": slot, "trigger": trigger, "recipes": recipes, "forced": forced, "seed": _DEFAULT_SEED, "state": RunState.WAITING}
    counts = dict.fromkeys(("attempt", "barren", "epochs_done", "resumed"), 0)
    return run_id if insert_new(connection, runs, id=run_id, **row, **counts, entered_at=now()) else None


def enter_due(connection: Connection, schedule: Schedule) -> str | None:
    """Enters the latest slot that is due, unless it or a later one was, or it was due before this home was; its run's id.

    A slot that lies ahead was entered by a clock that was set back since, and keeps none before it from being entered.
    """
    entered = select(func.max(runs.c.slot)).where(runs.c.slot <= now())
    at, latest = connection.execute(select(now(), entered.scalar_subquery())).one()
    slot = schedule.latest(at)
    known = max(time for time in (latest, _since(connection)) if time is not None)
    return enter(connection, "schedule", slot=slot) if slot > known else None


def _since(connection: Connection) -> datetime:
    told = connection.scalar(select(facts.c.value).where(facts.c.name == _SINCE))
    return datetime.fromisoformat(str(told))


# --- doorbells ---


def to_ring(connection: Connection, most: int, look: Look | None, before: str | None = None) -> list[str]:
    """Waiting runs whose doorbell must be rung, oldest first; db/doorbells.py tells which these are."""
    return unheard(connection, runs, "entered_at", runs.c.state == RunState.WAITING, most, look, before)


def rung(connection: Connection, run_ids: Sequence[str]) -> list[str]:
    """Notes that these doorbells were rung now; returns those of which the database would not have it noted."""

    def note(ids: Sequence[str]) -> None:
        connection.execute(update(runs).where(runs.c.id.in_(ids), runs.c.state == RunState.WAITING).values(rung_at=now()))

    return sparing(connection, note, run_ids)


def not_rung(connection: Connection, run_ids: Sequence[str]) -> None:
    """Takes that back, as `ledger.not_rung` tells for scans."""
    connection.execute(update(runs).where(runs.c.id.in_(run_ids), runs.c.state == RunState.WAITING).values(rung_at=None))


# --- leases ---


def claim(connection: Connection, run_id: str, owner: str) -> RunClaim | None:
    """Takes a waiting run for `owner`, or None: it does not wait, or another runs. One that never gets on is given up."""
    here = and_(runs.c.id == run_id, runs.c.state == RunState.WAITING)
    given_up = update(runs).where(here, runs.c.barren >= MOST_BARREN)
    why = f"It ended {MOST_BARREN} times without finishing an epoch; see HOME/logs/training.log."
    if connection.execute(given_up.values(state=RunState.FAILED, reason=why, finished_at=now())).rowcount:
        audit.note(connection, Action.RUN, f"failed: {why}", subject=run_id)
        return None
    others = runs.alias()
    statement = (
        update(runs)
        .where(here, ~select(others.c.id).where(others.c.state == RunState.RUNNING).exists())
        .values(
            state=RunState.RUNNING,
            lease_owner=owner,
            lease_until=now(LEASE_SECONDS),
            attempt=runs.c.attempt + 1,
            barren=runs.c.barren + 1,
            resumed=runs.c.resumed + case((runs.c.started_at.is_not(None), 1), else_=0),
            started_at=func.coalesce(runs.c.started_at, now()),
            heartbeat_at=now(),
        )
        .returning(runs.c.id, runs.c.attempt, runs.c.recipes, runs.c.forced, runs.c.seed, runs.c.epochs_done)
    )
    row = connection.execute(statement).one_or_none()
    return RunClaim(row.id, owner, row.attempt, row.recipes, row.forced, row.seed, row.epochs_done) if row else None


def _held(claim: RunClaim) -> ColumnElement[bool]:
    return and_(
        runs.c.id == claim.run_id,
        runs.c.state == RunState.RUNNING,
        runs.c.lease_owner == claim.owner,
        runs.c.attempt == claim.attempt,
    )


def renew(connection: Connection, claim: RunClaim) -> tuple[int, str | None] | None:
    """Prolongs the lease, and tells that the run lives.

    Returns:
        How many epochs are done, and what it is at; None if the claim is void.
    """
    values = {"lease_until": now(LEASE_SECONDS), "heartbeat_at": now()}
    row = connection.execute(update(runs).where(_held(claim)).values(values).returning(runs.c.epochs_done, runs.c.step)).one_or_none()
    return (row.epochs_done, row.step) if row else None


def tell(connection: Connection, claim: RunClaim, known: Mapping[str, Any]) -> bool:
    """Notes columns of the run: what it learns from, what it is at; False if the claim is void.

    A higher `epochs_done` shows that it gets on.
    """
    values = dict(known)
    if values.get("epochs_done", 0) > claim.epochs_done:
        values["barren"] = 0
    return bool(connection.execute(update(runs).where(_held(claim)).values(values)).rowcount)


_FREE = {"state": RunState.WAITING, "lease_owner": None, "lease_until": None, "rung_at": None}


def give_back(connection: Connection, claim: RunClaim) -> None:
    """A worker that stops puts its run back to waiting; nobody is blamed."""
    connection.execute(update(runs).where(_held(claim)).values(_FREE | {"barren": case((runs.c.barren > 0, runs.c.barren - 1), else_=0)}))


def let_go(connection: Connection, claim: RunClaim) -> None:
    """The training process died: its run waits anew."""
    connection.execute(update(runs).where(_held(claim)).values(_FREE))


def free_slot(connection: Connection, slot: str) -> int:
    """A worker that starts in `slot` frees what its predecessor held: it is known to be dead. Returns how many runs."""
    mine = and_(runs.c.state == RunState.RUNNING, runs.c.lease_owner.startswith(f"{slot}/", autoescape=True))
    return connection.execute(update(runs).where(mine).values(_FREE)).rowcount


def expire(connection: Connection) -> int:
    """Frees a run whose lease ran out: its worker, or its host, is gone. Returns how many. One too long is cut, as `ledger` does."""
    too_long = and_(runs.c.state == RunState.RUNNING, runs.c.lease_until > now(LEASE_SECONDS))
    connection.execute(update(runs).where(too_long).values(lease_until=now(LEASE_SECONDS)))
    run_out = and_(runs.c.state == RunState.RUNNING, runs.c.lease_until < now())
    return connection.execute(update(runs).where(run_out).values(_FREE)).rowcount


# --- ends ---


def finish(connection: Connection, claim: RunClaim, state: RunState, reason: str, decision: str | None = None) -> bool:
    """Ends a claimed run, with a row in the audit; False, and nothing written, if the claim is void."""
    values = {"state": state, "decision": decision, "reason": reason[:_LONGEST_REASON], "lease_owner": None, "lease_until": None}
    if connection.execute(update(runs).where(_held(claim)).values(values | {"finished_at": now(), "step": None})).rowcount == 0:
        return False
    audit.note(connection, Action.RUN, f"{decision or state}: {reason}", subject=claim.run_id)
    return True


def ended(connection: Connection, run_ids: Iterable[str]) -> list[str]:
    """Those of `run_ids` that are runs, and have ended."""
    query = select(runs.c.id).where(runs.c.id.in_(list(run_ids)), runs.c.finished_at.is_not(None))
    return list(connection.scalars(query))


def begun_with(connection: Connection, run_id: str) -> Mapping[str, Any]:
    """All columns of a run, those of its data among them.

    Raises:
        TrainingError: there is no such run.
    """
    row = connection.execute(select(runs).where(runs.c.id == run_id)).mappings().one_or_none()
    if row is None:
        raise TrainingError("There is no such training run; the view `training_runs` lists all.")
    return dict(row)


def last_done(connection: Connection) -> tuple[str, str] | None:
    """The hash of the snapshot that the latest run with a decision learnt from, and its recipes; None where there is none."""
    query = select(runs.c.data_sha256, runs.c.recipes).where(runs.c.state == RunState.DONE)
    row = connection.execute(query.order_by(runs.c.finished_at.desc(), runs.c.id.desc()).limit(1)).one_or_none()
    return (row.data_sha256, row.recipes) if row else None


def latest(connection: Connection) -> dict[str, Any] | None:
    """The run that was entered last, for people; None where there is none."""
    shown = ("state", "recipes", "epochs_done", "step", "decision", "reason", "finished_at")
    query = select(runs.c.id.label("run_id"), *(runs.c[name] for name in shown))
    row = connection.execute(query.order_by(runs.c.entered_at.desc(), runs.c.id.desc()).limit(1)).mappings().one_or_none()
    return dict(row) if row else None
