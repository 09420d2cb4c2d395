"""Results that are sent to others: which are due, and what became of each. A delivery is one object of one assessment for one target."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from db import jobs
from db.clock import now
from db.insert import insert_new
from db.jobs import Claim, NewJob
from db.rows import ViewRow, select_rows
from db.tables import Priority, Rank, Stage, delivery_targets, outgoing_objects, studies, study_assessments
from lungline.findings import Status
from lungline.ids import new_id
from lungline.reasons import Reason

DELIVER: Final = "deliver"  # the kind of job that sends an object
QUEUE: Final = "deliver"
_MOST_AT_ONCE: Final = 200  # assessments
_NOTED_EVERY: Final = timedelta(minutes=1)
_OVERLAP: Final = timedelta(hours=1)  # an assessment is seen once it is committed, which is later than the time that it bears


class DeliveryOutcome(StrEnum):
    """How a delivery ended."""

    DELIVERED = "delivered"
    FAILED = "failed"
    SUPERSEDED = "superseded"  # before it was sent: that of the newer assessment is sent instead


@dataclass(frozen=True)
class DeliveryRules:
    """What is sent: the settings `DELIVER_*`."""

    targets: tuple[str, ...]
    objects: tuple[str, ...]
    when: str
    """positive, review or all."""
    provisional: bool


@dataclass(frozen=True)
class Delivery:
    """One to be made."""

    delivery_id: str
    study_id: str
    study_key: str
    assessment_id: str
    target: str
    object: str
    number: int
    attempts: int
    age_seconds: float
    is_superseded: bool
    former: str | None
    """The assessment whose object this one follows: the latest that was delivered to this target before."""


def enter_due(connection: Connection, rules: DeliveryRules) -> int:
    """Enters what is to be sent of assessments that were made since the last look; how many objects.

    For a target that is named for the first time, that begins now.
    """
    return sum(_enter_for(connection, rules, target) for target in rules.targets)


def is_due(connection: Connection, rules: DeliveryRules) -> bool:
    """Whether `enter_due` has anything to write: asked each second, and to write each second would keep others waiting."""
    looked = {row.target: row for row in connection.execute(select(delivery_targets, now().label("at")))}
    return any(
        (row := looked.get(target)) is None
        or row.at - row.looked_at > _NOTED_EVERY
        or bool(_due(connection, rules, target, max(row.since, row.looked_at - _OVERLAP)))
        for target in rules.targets
    )


def _enter_for(connection: Connection, rules: DeliveryRules, target: str) -> int:
    known = delivery_targets.c.target == target
    insert_new(connection, delivery_targets, target=target, since=now(), looked_at=now())
    row = connection.execute(select(delivery_targets, now().label("at")).where(known)).one()
    due = _due(connection, rules, target, max(row.since, row.looked_at - _OVERLAP))
    entered = sum(_enter(connection, *assessment, target, each) for assessment in due for each in rules.objects)
    if len(due) < _MOST_AT_ONCE:
        connection.execute(update(delivery_targets).where(known).values(looked_at=row.at))
    return entered


def _due(connection: Connection, rules: DeliveryRules, target: str, since: datetime) -> list[tuple[str, str, str]]:
    """Current assessments since then of which nothing was entered for the target, as (id, study, priority), the oldest first."""
    made, sent = study_assessments.c, outgoing_objects.c
    is_entered = select(sent.id).where(sent.assessment_id == made.id, sent.target == target).exists()
    chosen = [made.finished_at >= since, made.superseded_at.is_(None), ~is_entered, *_wanted(rules)]
    query = select(made.id, made.study_id, made.priority).where(*chosen).order_by(made.finished_at, made.id).limit(_MOST_AT_ONCE)
    return [(row.id, row.study_id, row.priority) for row in connection.execute(query)]


def _wanted(rules: DeliveryRules) -> Iterator[ColumnElement[bool]]:
    made = study_assessments.c
    if not rules.provisional:
        yield made.stage == Stage.FINAL
    if rules.when == "positive":
        yield made.finding == "covid19"
    if rules.when == "review":
        yield or_(made.finding == "covid19", made.status == Status.REVIEW)


def _enter(connection: Connection, assessment_id: str, study_id: str, priority: str, target: str, kind: str) -> bool:
    made, sent = {"study_id": study_id, "target": target, "object": kind}, outgoing_objects.c
    before = select(func.count()).where(*(sent[name] == value for name, value in made.items()))
    number = connection.execute(before).scalar_one() + 1
    delivery_id = new_id()
    row = {"id": delivery_id, "assessment_id": assessment_id, "number": number, "attempts": 0, "created_at": now(), **made}
    return insert_new(connection, outgoing_objects, **row) and bool(jobs.enter(connection, [_job(delivery_id, priority)]))


def _job(delivery_id: str, priority: str) -> NewJob:
    return NewJob(DELIVER, delivery_id, QUEUE, Rank.STAT if priority == Priority.STAT else Rank.LIVE)


def find(connection: Connection, delivery_ids: Sequence[str]) -> dict[str, Delivery]:
    """Deliveries as they stand now."""
    sent, made = outgoing_objects.c, study_assessments.c
    all_of_it = outgoing_objects.join(study_assessments, made.id == sent.assessment_id).join(studies, studies.c.id == sent.study_id)
    other = outgoing_objects.alias("other")
    alike = and_(*(other.c[name] == sent[name] for name in ("study_id", "target", "object")), other.c.number < sent.number)
    former = (
        select(other.c.assessment_id).where(alike, other.c.outcome == DeliveryOutcome.DELIVERED).order_by(other.c.number.desc()).limit(1)
    ).scalar_subquery()
    query = select(outgoing_objects, studies.c.study_key, made.superseded_at, former.label("former"), now().label("at"))
    found = connection.execute(query.select_from(all_of_it).where(sent.id.in_(delivery_ids)))
    return {
        row.id: Delivery(
            delivery_id=row.id,
            study_id=row.study_id,
            study_key=row.study_key,
            assessment_id=row.assessment_id,
            target=row.target,
            object=row.object,
            number=row.number,
            attempts=row.attempts,
            age_seconds=(row.at - row.created_at).total_seconds(),
            is_superseded=row.superseded_at is not None,
            former=row.former,
        )
        for row in found
    }


def end(connection: Connection, claim: Claim, outcome: DeliveryOutcome, reason: Reason | None = None) -> bool:
    """Ends a claimed job and its delivery; False, and nothing changed, if the claim is void."""
    if not jobs.finish(connection, claim):
        return False
    _note(connection, claim.subject, outcome, reason)
    return True


def try_later(connection: Connection, claim: Claim, reason: Reason | None, seconds: float) -> bool:
    """Ends a claimed job and enters it anew for later; False, and nothing changed, if the claim is void.

    `reason`: why an attempt failed; None: none was made.
    """
    if not jobs.finish(connection, claim):
        return False
    if reason is not None:
        values = {"attempts": outgoing_objects.c.attempts + 1, "reason": reason}
        connection.execute(update(outgoing_objects).where(outgoing_objects.c.id == claim.subject).values(values))
    jobs.postpone(connection, NewJob(DELIVER, claim.subject, QUEUE, Rank(claim.priority)), seconds)
    return True


def give_up(connection: Connection, delivery_id: str) -> None:
    """Its job ended the processes that made the object, too often. In the transaction that ends the job."""
    _note(connection, delivery_id, DeliveryOutcome.FAILED, Reason.INTERNAL_ERROR)


def _note(connection: Connection, delivery_id: str, outcome: DeliveryOutcome, reason: Reason | None) -> None:
    values = {
        "attempts": outgoing_objects.c.attempts + int(outcome is not DeliveryOutcome.SUPERSEDED),
        "outcome": outcome,
        "reason": reason,
    }
    connection.execute(update(outgoing_objects).where(outgoing_objects.c.id == delivery_id).values(ended_at=now(), **values))


def retry(connection: Connection, delivery_ids: Collection[str] = ()) -> int:
    """Enters failed deliveries anew, these or all, with another day's time; how many. Those of superseded assessments stay."""
    sent = outgoing_objects.c
    is_current = select(study_assessments.c.id).where(
        study_assessments.c.id == sent.assessment_id, study_assessments.c.superseded_at.is_(None)
    )
    chosen = [sent.outcome == DeliveryOutcome.FAILED, is_current.exists()]
    if delivery_ids:
        chosen.append(sent.id.in_(delivery_ids))
    anew = {"outcome": None, "ended_at": None, "reason": None, "attempts": 0}
    ids = list(connection.scalars(update(outgoing_objects).where(*chosen).values(created_at=now(), **anew).returning(sent.id)))
    return jobs.enter(connection, [_job(delivery_id, Priority.SCANS) for delivery_id in ids])


def newest(connection: Connection, most: int, *, failed: bool = False) -> list[ViewRow]:
    """The newest rows of the view `deliveries`; of those that failed alone, if asked."""
    where = "WHERE state = 'failed'" if failed else ""
    return select_rows(connection, f"SELECT * FROM deliveries {where} ORDER BY created_at DESC, delivery_id DESC LIMIT :most", most=most)
