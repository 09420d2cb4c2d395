"""Rereading old scans by new champions, behind all live work. Each keeps its verdict until the new one is committed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, FromClause, and_, func, insert, select, update

from db import jobs, versions
from db.clock import now
from db.insert import slices
from db.jobs import Claim, NewJob
from db.scans import REREAD
from db.tables import Priority, Rank, reprocesses, scans, verdicts
from db.tables import jobs as open_jobs
from lungline.findings import Status
from lungline.ids import new_id
from lungline.reasons import Reason


@dataclass(frozen=True)
class Choice:
    """Which scans, by the verdict that they have; None leaves that open."""

    since: datetime | None = None  # when the file was taken in
    finding: str | None = None
    status: Status | None = None

    @property
    def text(self) -> str:
        """As the command's options."""
        options = {"since": self.since and self.since.isoformat(timespec="seconds"), "finding": self.finding, "status": self.status}
        return " ".join(f"--{name} {value}" for name, value in options.items() if value) or "--all"


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
    connection.execute(update(scans).where(scans.c.reread_reason.is_not(None)).values(reread_reason=None))
    champions = versions.champions(connection)
    unfinished = _unfinished(connection, choice, champions)
    if unfinished is not None:
        return unfinished
    entered = insert(reprocesses).values(id=new_id(), **vars(choice), champions=champions, began_at=now())
    row = connection.execute(entered.returning(reprocesses.c.id, reprocesses.c.began_at)).one()
    return Order(row.id, choice, row.began_at, resumed=False)


def _unfinished(connection: Connection, choice: Choice, champions: dict[str, str]) -> Order | None:
    same = [reprocesses.c[name].is_not_distinct_from(value) for name, value in vars(choice).items()]
    query = select(reprocesses).where(reprocesses.c.ended_at.is_(None), *same).order_by(reprocesses.c.id)
    for row in connection.execute(query):
        if row.champions == champions:
            return Order(row.id, choice, row.began_at, resumed=True)
    return None


def end(connection: Connection, order: Order) -> None:
    """All that was asked for is done."""
    connection.execute(update(reprocesses).where(reprocesses.c.id == order.id).values(ended_at=now()))


def left(connection: Connection, choice: Choice) -> int:
    """How many scans have another verdict than a present champion's, and are not known to be unreadable."""
    return connection.scalar(select(func.count()).select_from(_with_current_verdict()).where(*_wanted(connection, choice))) or 0


def ask(connection: Connection, choice: Choice, after: str, most: int) -> list[str]:
    """Has some of those wait to be read again, `most` at most, in the order of their ids from `after` on; which."""
    query = select(scans.c.id).select_from(_with_current_verdict()).where(scans.c.id > after, *_wanted(connection, choice))
    found = list(connection.scalars(query.order_by(scans.c.id).limit(most)))
    jobs.enter(connection, [NewJob(REREAD, scan_id, Priority.SCANS.value, Rank.BACKGROUND) for scan_id in found])
    return found


def fail(connection: Connection, claim: Claim, reason: Reason) -> bool:
    """Ends the job of rereading a scan that cannot be read: its verdict stands, and the reason is kept. False if the claim is void."""
    if not jobs.finish(connection, claim):
        return False
    note_failure(connection, claim.subject, reason)
    return True


def note_failure(connection: Connection, scan_id: str, reason: Reason) -> None:
    """Keeps why a scan could not be reread, in the transaction that ends its job."""
    connection.execute(update(scans).where(scans.c.id == scan_id).values(reread_reason=reason))


def asked(connection: Connection) -> set[str]:
    """Those that wait or are read now, whoever asked for them."""
    return jobs.subjects(connection, REREAD)


def call_back(connection: Connection) -> None:
    """Those that only wait are done as before. What is being read now is read to its end."""
    jobs.cancel_waiting(connection, REREAD)


def ended(connection: Connection, ids: Collection[str]) -> Ended:
    """What became of scans that are no longer among `asked`."""
    champions = set(versions.champions(connection).values())
    anew = failed = 0
    for some in slices(list(ids)):
        for row in connection.execute(
            select(verdicts.c.ensemble, scans.c.reread_reason).select_from(_with_current_verdict()).where(scans.c.id.in_(some))
        ):
            anew += row.ensemble in champions
            failed += row.ensemble not in champions and row.reread_reason is not None
    return Ended(anew, failed, len(ids) - anew - failed)


def failures(connection: Connection) -> dict[str, int]:
    """Why scans could not be read again since the last `begin`: reason -> how many."""
    query = select(scans.c.reread_reason, func.count()).where(scans.c.reread_reason.is_not(None)).group_by(scans.c.reread_reason)
    return {row[0]: row[1] for row in connection.execute(query)}


def changes(connection: Connection, order: Order) -> list[Change]:
    """What the verdicts of an order's scans were, and are: those that took another's place since it was begun."""
    former = verdicts.alias("former")
    last = select(func.max(verdicts.c.superseded_at)).where(verdicts.c.scan_id == scans.c.id).correlate(scans).scalar_subquery()
    both = _with_current_verdict().join(former, and_(former.c.scan_id == scans.c.id, former.c.superseded_at == last))
    columns = (scans.c.modality, former.c.finding.label("finding_before"), verdicts.c.finding, former.c.status.label("status_before"))
    since = func.coalesce(verdicts.c.reinstated_at, verdicts.c.finished_at) >= order.began_at
    query = select(*columns, verdicts.c.status, func.count().label("scans")).select_from(both)
    query = query.where(since, *_fits(order.choice, former)).group_by(*columns, verdicts.c.status).order_by(*columns, verdicts.c.status)
    return [Change(**row) for row in connection.execute(query).mappings()]


def _with_current_verdict() -> FromClause:
    """Scans with their current verdict."""
    return scans.join(verdicts, and_(verdicts.c.scan_id == scans.c.id, verdicts.c.superseded_at.is_(None)))


def _wanted(connection: Connection, choice: Choice) -> list[ColumnElement[bool]]:
    champions = versions.champions(connection).values()
    is_open = select(open_jobs.c.id).where(open_jobs.c.subject == scans.c.id).exists()
    return [~is_open, scans.c.reread_reason.is_(None), verdicts.c.ensemble.not_in(champions), *_fits(choice, verdicts)]


def _fits(choice: Choice, verdict: FromClause) -> list[ColumnElement[bool]]:
    return [
        *([scans.c.received_at >= choice.since] if choice.since else []),
        *([verdict.c.finding == choice.finding] if choice.finding else []),
        *([verdict.c.status == choice.status] if choice.status else []),
    ]
