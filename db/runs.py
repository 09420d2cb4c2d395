"""Training runs: what each was asked for, what it learns from, how far it is, how it ended. Where it stands, its job says (db/jobs.py)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, case, func, select, update

from db import audit, job_leases, jobs
from db.audit import Action
from db.clock import now
from db.insert import insert_new
from db.jobs import Claim, NewJob
from db.tables import JobState, RunOutcome, facts, runs
from db.tables import jobs as open_jobs
from lungline.errors import TrainingError
from lungline.ids import new_id
from lungline.schedule import Schedule

TRAIN: Final = "train"  # the kind of job
QUEUE: Final = "training"
DEATHS_ALLOWED: Final = 4  # since the last epoch that was finished: what ended so many attempts will end the next one, too

_SINCE = "since"
_LONGEST_REASON = 500
_DEFAULT_SEED = 0


@dataclass(frozen=True)
class Run:
    """What the training worker must know of a run to make it."""

    run_id: str
    recipes: Sequence[str]
    forced: bool
    seed: int
    epochs_done: int


def enter(
    connection: Connection, trigger: str, recipes: Sequence[str] = (), *, slot: datetime | None = None, forced: bool = False
) -> str | None:
    """Enters a run that waits; its id, or None if its slot was entered before.

    Args:
        connection: in a transaction.
        trigger: schedule or hand.
        recipes: their names; none: as the settings say when it begins.
        slot: of the schedule.
        forced: whether it trains even if nothing is new.
    """
    run_id = new_id()
    row = {"slot": slot, "trigger": trigger, "recipes": list(recipes), "forced": forced, "seed": _DEFAULT_SEED}
    if not insert_new(connection, runs, id=run_id, **row, epochs_done=0, resumed=0, entered_at=now()):
        return None
    jobs.enter(connection, [NewJob(TRAIN, run_id, QUEUE)])
    return run_id


def enter_due(connection: Connection, schedule: Schedule) -> str | None:
    """Enters the latest slot that is due, unless it or a later one was, or it was due before this home was; its run's id.

    A slot that lies ahead was entered by a clock that was set back since, and keeps none before it from being entered.
    """
    slot = due_slot(connection, schedule)
    return None if slot is None else enter(connection, "schedule", slot=slot)


def due_slot(connection: Connection, schedule: Schedule) -> datetime | None:
    """The slot that `enter_due` would enter."""
    entered = select(func.max(runs.c.slot)).where(runs.c.slot <= now())
    at, latest = connection.execute(select(now(), entered.scalar_subquery())).one()
    slot = schedule.latest(at)
    known = max(time for time in (latest, _since(connection)) if time is not None)
    return slot if slot > known else None


def _since(connection: Connection) -> datetime:
    since = connection.scalar(select(facts.c.value).where(facts.c.name == _SINCE))
    return datetime.fromisoformat(str(since))


def state() -> ColumnElement[str]:
    """Where a run is, as a column of a query: waiting, running, or how it ended."""
    open_state = select(open_jobs.c.state).where(open_jobs.c.kind == TRAIN, open_jobs.c.subject == runs.c.id).scalar_subquery()
    return func.coalesce(runs.c.outcome, open_state, JobState.WAITING.value)


# --- while it runs ---


def begin(connection: Connection, run_id: str) -> Run:
    """Notes that a claimed run begins, or goes on."""
    values = {
        "resumed": runs.c.resumed + case((runs.c.started_at.is_not(None), 1), else_=0),
        "started_at": func.coalesce(runs.c.started_at, now()),
        "heartbeat_at": now(),
    }
    row = connection.execute(update(runs).where(runs.c.id == run_id).values(values).returning(runs)).one()
    return Run(row.id, row.recipes, row.forced, row.seed, row.epochs_done)


def note_alive(connection: Connection, run_id: str) -> tuple[int, str | None]:
    """Tells that the run lives; how many epochs are done, and what it is at."""
    values = {"heartbeat_at": now()}
    row = connection.execute(update(runs).where(runs.c.id == run_id).values(values).returning(runs.c.epochs_done, runs.c.step)).one()
    return row.epochs_done, row.step


def note(connection: Connection, claim: Claim, known: Mapping[str, Any]) -> bool:
    """Notes columns of a run: what it learns from, what it is at; False, and nothing written, if the claim is void.

    A higher `epochs_done` shows that it gets on.
    """
    is_held = select(open_jobs.c.id).where(jobs.holds(claim)).exists()
    before = connection.scalar(select(runs.c.epochs_done).where(runs.c.id == claim.subject))
    if not connection.execute(update(runs).where(runs.c.id == claim.subject, is_held).values(dict(known))).rowcount:
        return False
    if known.get("epochs_done", 0) > (before or 0):
        job_leases.note_progress(connection, claim)
    return True


# --- ends ---


def finish(connection: Connection, claim: Claim, outcome: RunOutcome, reason: str, decision: str | None = None) -> bool:
    """Ends a claimed run, with a row in the audit; False, and nothing written, if the claim is void."""
    if not jobs.finish(connection, claim):
        return False
    _end(connection, claim.subject, outcome, reason, decision)
    return True


def give_up(connection: Connection, run_id: str) -> None:
    """Ends a run that never gets on, in the transaction that ends its job."""
    why = f"It ended {DEATHS_ALLOWED + 1} times without finishing an epoch; see HOME/logs/training.log."
    _end(connection, run_id, RunOutcome.FAILED, why)


def _end(connection: Connection, run_id: str, outcome: RunOutcome, reason: str, decision: str | None = None) -> None:
    values = {"outcome": outcome, "decision": decision, "reason": reason[:_LONGEST_REASON], "finished_at": now(), "step": None}
    connection.execute(update(runs).where(runs.c.id == run_id).values(values))
    audit.note(connection, Action.RUN, f"{decision or outcome}: {reason}", subject=run_id)


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
        raise TrainingError("There is no such training run; the view `training_runs` lists them all.")
    return dict(row)


def last_done(connection: Connection) -> tuple[str, list[str]] | None:
    """The hash of the snapshot that the latest run with a decision learnt from, and its recipes; None where there is none."""
    query = select(runs.c.data_sha256, runs.c.recipes).where(runs.c.outcome == RunOutcome.DONE)
    row = connection.execute(query.order_by(runs.c.finished_at.desc(), runs.c.id.desc()).limit(1)).one_or_none()
    return (row.data_sha256, row.recipes) if row else None


@dataclass(frozen=True)
class RunProgress:
    """How far a run is, for people who wait for it."""

    state: str  # waiting, running, done, failed or skipped
    step: str | None  # what it is at; None when it has ended
    decision: str | None
    reason: str | None

    @property
    def has_ended(self) -> bool:
        return self.state not in tuple(JobState)


def progress_of(connection: Connection, run_id: str) -> RunProgress:
    """How far a run is that was entered before."""
    query = select(state().label("state"), runs.c.step, runs.c.decision, runs.c.reason).where(runs.c.id == run_id)
    return RunProgress(**connection.execute(query).mappings().one())


def latest(connection: Connection) -> dict[str, Any] | None:
    """The run that was entered last, for people; None where there is none."""
    shown = ("recipes", "epochs_done", "step", "decision", "reason", "finished_at")
    query = select(runs.c.id.label("run_id"), state().label("state"), *(runs.c[name] for name in shown))
    row = connection.execute(query.order_by(runs.c.entered_at.desc(), runs.c.id.desc()).limit(1)).mappings().one_or_none()
    return {**row, "recipes": ",".join(row["recipes"])} if row else None
