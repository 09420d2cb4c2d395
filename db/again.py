"""Scans that are read again, behind all that waits for its first verdict. Each keeps its verdict until the new one is committed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, FromClause, and_, func, insert, or_, select, update

from db import versions
from db.clock import now, older
from db.insert import slices
from db.tables import State, reprocesses, scans, verdicts
from lungline.findings import Status
from lungline.ids import new_id

_UNHEARD_SECONDS = 30.0  # no doorbell lies in Redis, and one rung so long ago was not heard


@dataclass(frozen=True)
class Choice:
    """Which scans, by the verdict that they have; None leaves that open."""

    since: datetime | None = None  # when the file was taken in
    finding: str | None = None
    status: Status | None = None

    @property
    def text(self) -> str:
        """As the command's options."""
        told = {"since": self.since and self.since.isoformat(timespec="seconds"), "finding": self.finding, "status": self.status}
        return " ".join(f"--{name} {value}" for name, value in told.items() if value) or "--all"


@dataclass(frozen=True)
class Order:
    """A reprocess that was begun, by this command or by one before it that was stopped."""

    id: str
    choice: Choice
    began_at: datetime
    resumed: bool


@dataclass(frozen=True)
class Ended:
    """What became of scans that were asked for."""

    anew: int  # the verdict is a present champion's now
    failed: int  # it could not be read; its verdict stands
    put_off: int  # the worker had not taken up the champion yet, or it was called back


@dataclass(frozen=True)
class Change:
    """How many scans had the one verdict before, and have the other now."""

    modality: str | None
    finding_before: str | None
    finding: str | None
    status_before: str
    status: str
    scans: int


def begin(connection: Connection, choice: Choice) -> Order:
    """Enters what is asked for; or finds that it was begun before, by the same champions, and not ended."""
    by = ",".join(f"{name}={version}" for name, version in sorted(versions.champions(connection).items()))[:300]
    connection.execute(update(scans).where(scans.c.again_reason.is_not(None)).values(again_reason=None))
    same = and_(reprocesses.c.asked == choice.text, reprocesses.c.champions == by, reprocesses.c.ended_at.is_(None))
    open_ = connection.execute(select(reprocesses.c.id, reprocesses.c.began_at).where(same).order_by(reprocesses.c.id)).first()
    if open_ is not None:
        return Order(open_.id, choice, open_.began_at, resumed=True)
    entered = insert(reprocesses).values(id=new_id(), asked=choice.text, champions=by, began_at=now())
    row = connection.execute(entered.returning(reprocesses.c.id, reprocesses.c.began_at)).one()
    return Order(row.id, choice, row.began_at, resumed=False)


def end(connection: Connection, order: Order) -> None:
    """All that was asked for is done."""
    connection.execute(update(reprocesses).where(reprocesses.c.id == order.id).values(ended_at=now()))


def left(connection: Connection, choice: Choice) -> int:
    """How many scans have another verdict than a present champion's, and are not known to be unreadable."""
    return connection.scalar(select(func.count()).select_from(_judged()).where(*_wanted(connection, choice))) or 0


def ask(connection: Connection, choice: Choice, after: str, most: int) -> list[str]:
    """Has some of those wait to be read again, `most` at most, in the order of their ids from `after` on; which."""
    query = select(scans.c.id).select_from(_judged()).where(scans.c.id > after, *_wanted(connection, choice))
    found = connection.scalars(query.order_by(scans.c.id).limit(most)).all()
    clean = {"state": State.WAITING, "again": True, "rung_at": None, "lost_leases": 0, "deaths": 0, "timeouts": 0}
    asked = update(scans).where(scans.c.id.in_(found), scans.c.state == State.DONE).values(clean).returning(scans.c.id)
    return sorted(connection.scalars(asked)) if found else []


def asked(connection: Connection) -> set[str]:
    """Those that wait or are read now, whoever asked for them."""
    return set(connection.scalars(select(scans.c.id).where(scans.c.again)))


def call_back(connection: Connection) -> int:
    """Those that only wait are done as before; how many. What is being read now is read to its end."""
    waiting = and_(scans.c.again, scans.c.state == State.WAITING)
    return connection.execute(update(scans).where(waiting).values(state=State.DONE, again=False)).rowcount


def ended(connection: Connection, ids: Collection[str]) -> Ended:
    """What became of scans that are no longer among `asked`."""
    champions = set(versions.champions(connection).values())
    anew = failed = 0
    for some in slices(list(ids)):
        for row in connection.execute(select(verdicts.c.ensemble, scans.c.again_reason).select_from(_judged()).where(scans.c.id.in_(some))):
            anew += row.ensemble in champions
            failed += row.ensemble not in champions and row.again_reason is not None
    return Ended(anew, failed, len(ids) - anew - failed)


def failures(connection: Connection) -> dict[str, int]:
    """Why scans could not be read again since the last `begin`: reason -> how many."""
    query = select(scans.c.again_reason, func.count()).where(scans.c.again_reason.is_not(None)).group_by(scans.c.again_reason)
    return {row[0]: row[1] for row in connection.execute(query)}


def changes(connection: Connection, order: Order) -> list[Change]:
    """What the verdicts of an order's scans were, and are: those that took another's place since it was begun."""
    former = verdicts.alias("former")
    last = select(func.max(verdicts.c.superseded_at)).where(verdicts.c.scan_id == scans.c.id).correlate(scans).scalar_subquery()
    both = _judged().join(former, and_(former.c.scan_id == scans.c.id, former.c.superseded_at == last))
    columns = (scans.c.modality, former.c.finding.label("finding_before"), verdicts.c.finding, former.c.status.label("status_before"))
    since = func.coalesce(verdicts.c.reinstated_at, verdicts.c.finished_at) >= order.began_at
    query = select(*columns, verdicts.c.status, func.count().label("scans")).select_from(both)
    query = query.where(since, *_fits(order.choice, former)).group_by(*columns, verdicts.c.status).order_by(*columns, verdicts.c.status)
    return [Change(**row) for row in connection.execute(query).mappings()]


def to_ring(connection: Connection, most: int) -> list[str]:
    """Scans to be read again whose doorbell must be rung. To be asked only while no other waits, and no doorbell lies in Redis."""
    unheard = or_(scans.c.rung_at.is_(None), older(scans.c.rung_at, _UNHEARD_SECONDS))
    query = select(scans.c.id).where(scans.c.again, scans.c.state == State.WAITING, unheard)
    return list(connection.scalars(query.order_by(scans.c.id).limit(most)))


def _judged() -> FromClause:
    """Scans with their current verdict."""
    return scans.join(verdicts, and_(verdicts.c.scan_id == scans.c.id, verdicts.c.superseded_at.is_(None)))


def _wanted(connection: Connection, choice: Choice) -> list[ColumnElement[bool]]:
    champions = versions.champions(connection).values()
    readable = and_(scans.c.state == State.DONE, scans.c.again_reason.is_(None))
    return [readable, verdicts.c.ensemble.not_in(champions), *_fits(choice, verdicts)]


def _fits(choice: Choice, verdict: FromClause) -> list[ColumnElement[bool]]:
    return [
        *([scans.c.received_at >= choice.since] if choice.since else []),
        *([verdict.c.finding == choice.finding] if choice.finding else []),
        *([verdict.c.status == choice.status] if choice.status else []),
    ]
