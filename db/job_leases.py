"""The lease of a claimed job: renewed, given back, freed when its worker died; and what is laid to a job that ends its workers."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, delete, not_, or_, select, update

from db.clock import now
from db.jobs import Claim, holds
from db.refused_rows import change_rows
from db.tables import JobState, jobs

_MOST_CHANGED = 1000  # jobs at a time


class Cause(StrEnum):
    """What is laid to a job; the value is the column that counts it."""

    DEATH = "deaths"  # its process died
    TIMEOUT = "timeouts"  # its process took too long


def note_alone(connection: Connection, claim: Claim) -> None:
    """From now on the worker does nothing but this job: if it dies, it died of it."""
    connection.execute(update(jobs).where(holds(claim)).values(alone=True))


def note_progress(connection: Connection, claim: Claim) -> None:
    """The job gets on: what died of it before is forgiven."""
    connection.execute(update(jobs).where(holds(claim)).values(lost_leases=0, deaths=0))


def renew(connection: Connection, owner: str, job_ids: Sequence[str], lease_seconds: float) -> set[str]:
    """Prolongs the leases of `owner` on these jobs; which of them it still holds."""
    mine = and_(jobs.c.owner == owner, jobs.c.state == JobState.RUNNING)
    return _change(connection, job_ids, mine, {"lease_until": now(lease_seconds)})


def _change(connection: Connection, job_ids: Sequence[str], here: ColumnElement[bool], values: Mapping[str, Any]) -> set[str]:
    """Changes those of the jobs for which `here` holds; which. One that the database refuses to change spares the others."""
    changed: set[str] = set()

    def change(some: Sequence[str]) -> None:
        changed.update(connection.scalars(update(jobs).where(jobs.c.id.in_(some), here).values(values).returning(jobs.c.id)))

    return changed.difference(change_rows(connection, change, job_ids))


def _change_all(connection: Connection, here: ColumnElement[bool], values: Mapping[str, Any]) -> int:
    """The same for all jobs for which `here` holds, so many at a time; how many."""
    ids = list(connection.scalars(select(jobs.c.id).where(here).order_by(jobs.c.id).limit(_MOST_CHANGED)))
    return len(_change(connection, ids, here, values))


_FREE: Mapping[str, object] = {"state": JobState.WAITING, "owner": None, "lease_until": None, "rung_at": None}


def give_back(connection: Connection, claims: Iterable[Claim]) -> None:
    """A worker that stops puts what it did not finish back to waiting. Nobody is blamed."""
    for held in claims:
        connection.execute(update(jobs).where(holds(held)).values(_FREE))


def let_go(connection: Connection, claim: Claim, cause: Cause) -> int | None:
    """The process that did the job died of it or was too slow, and its worker lives: the job waits again.

    Returns:
        How often that happened by now; None if the claim is void.
    """
    column = jobs.c[cause]
    return connection.execute(update(jobs).where(holds(claim)).values({**_FREE, column: column + 1}).returning(column)).scalar()


def free_slot(connection: Connection, slot: str, boot: str) -> int:
    """A worker that starts in `slot` frees what its predecessor held: it is known to be dead. Returns how many jobs.

    Blame only falls where the predecessor died by itself: leases of an earlier boot of this host were lost to a power cut.
    """
    mine = and_(jobs.c.state == JobState.RUNNING, jobs.c.owner.startswith(f"{slot}/", autoescape=True))
    same_boot = jobs.c.owner.startswith(f"{slot}/{boot}/", autoescape=True)
    blamed = _change_all(connection, and_(mine, same_boot), _lost())
    return blamed + _change_all(connection, and_(mine, not_(same_boot)), _FREE)


def expire(connection: Connection, kind: str, lease_seconds: float) -> int:
    """Frees jobs of a kind whose lease ran out: their worker, or its host, is gone. Returns how many.

    A lease that lasts longer than any can is of a time before the clock was set back. It is cut, not ended: a living worker renews it.
    """
    running = _are_running(kind)
    _change_all(connection, and_(running, jobs.c.lease_until > now(lease_seconds)), {"lease_until": now(lease_seconds)})
    return _change_all(connection, and_(running, jobs.c.lease_until < now()), _lost())


def any_to_expire(connection: Connection, kind: str, lease_seconds: float) -> bool:
    """Whether `expire` would find a job to change."""
    odd = or_(jobs.c.lease_until > now(lease_seconds), jobs.c.lease_until < now())
    return connection.scalar(select(jobs.c.id).where(_are_running(kind), odd).limit(1)) is not None


def _are_running(kind: str) -> ColumnElement[bool]:
    return and_(jobs.c.kind == kind, jobs.c.state == JobState.RUNNING)


def _lost() -> dict[str, object]:
    # A worker that dies takes the innocent along: only a job that it did alone is held against it.
    return {
        **_FREE,
        "lost_leases": jobs.c.lost_leases + 1,
        "deaths": jobs.c.deaths + case((jobs.c.alone, 1), else_=0),
    }


def condemned(connection: Connection, kind: str, deaths_allowed: int) -> dict[str, str]:
    """Waiting jobs of a kind to which more deaths are laid than allowed, with their subjects.

    To be asked in the transaction that freed some, and in no other: it looks at every job that waits.
    """
    guilty = and_(jobs.c.kind == kind, jobs.c.state == JobState.WAITING, jobs.c.deaths > deaths_allowed)
    rows = connection.execute(select(jobs.c.id, jobs.c.subject).where(guilty).order_by(jobs.c.id).limit(_MOST_CHANGED))
    return {row.id: row.subject for row in rows}


def give_up(connection: Connection, job_id: str) -> bool:
    """Ends a job that nobody holds; False if somebody does, or it ended."""
    return connection.execute(delete(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.WAITING)).rowcount == 1
