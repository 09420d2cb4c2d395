"""Which versions of members and ensembles there are, and which ensemble is champion: it alone judges. A promotion changes one row."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, case, insert, or_, select, update

from db import audit
from db.audit import US, Action
from db.clock import now
from db.insert import insert_new
from db.rows import ViewRow, select_rows
from db.tables import gates, promotions, versions
from lungline.errors import ModelError
from lungline.findings import Modality
from lungline.ids import new_id

_LONGEST_NAME, _LONGEST_REASON = 64, 300


@dataclass(frozen=True)
class Version:
    """A member or ensemble whose files are at hand; `sha256` is over those files."""

    version: str
    kind: str  # member or ensemble
    name: str
    modality: Modality | None
    sha256: str
    shipped: bool  # with this Lungline, and gone with it; else in the store
    members: tuple[str, ...] = ()  # an ensemble's, by their versions


def enter(connection: Connection, found: Sequence[Version]) -> None:
    """Enters versions that the table does not know; they are challengers.

    A shipped ensemble becomes champion where there is none; or when it is entered, if another Lungline shipped the present one, whose files
    went with it. What a person promoted from the store stays, whatever ships; and of two hosts, one of them not yet upgraded, neither
    changes the champion back.
    """
    at_hand = {described.version for described in found}
    fresh = set()
    for described in found:
        row = {name: value for name, value in vars(described).items() if name != "members"}
        if insert_new(connection, versions, **row, state="challenger", created_at=now()):
            fresh.add(described.version)
        else:
            connection.execute(
                update(versions).where(_is(described.version), versions.c.shipped != described.shipped).values(shipped=described.shipped)
            )
    for described in found:
        if described.kind == "ensemble" and described.shipped:
            champion = _champion(connection, described.name)
            follows = champion is not None and described.version in fresh and champion not in at_hand and _was_shipped(connection, champion)
            if champion is None or follows:
                _change(connection, champion, described.version, described.members, "promote", US, "shipped")


def champions(connection: Connection) -> dict[str, str]:
    """The ensemble version that judges, by name: xray, ct, admission."""
    query = select(versions.c.name, versions.c.version).where(versions.c.kind == "ensemble", versions.c.state == "champion")
    return {row.name: row.version for row in connection.execute(query)}


def list_rows(connection: Connection) -> list[ViewRow]:
    """What `model_versions` holds."""
    return select_rows(connection, "SELECT * FROM model_versions ORDER BY kind, name, created_at")


def find(connection: Connection, asked: str) -> tuple[str, str] | None:
    """A version and its kind, by the version; or by a name: the one that judges, else the latest. None where there is none."""
    is_other = case((versions.c.state == "champion", 0), else_=1)
    query = select(versions.c.version, versions.c.kind).where(or_(versions.c.version == asked, versions.c.name == asked))
    row = connection.execute(query.order_by(is_other, versions.c.created_at.desc(), versions.c.version)).first()
    return (row.version, row.kind) if row else None


def check_grounds(by: str, why: str) -> tuple[str, str]:
    """Who decides, and on what grounds, as they are kept.

    Raises:
        ModelError: one is empty or too long.
    """
    by, why = by.strip(), why.strip()
    if not (0 < len(by) <= _LONGEST_NAME and 0 < len(why) <= _LONGEST_REASON):
        raise ModelError(f"Give --by and --why: --by takes up to {_LONGEST_NAME} characters, --why up to {_LONGEST_REASON}.")
    return by, why


def champion_beside(connection: Connection, version: str) -> str | None:
    """The champion of an ensemble's name, which nobody else changes until this transaction ends.

    Raises:
        ModelError: there is no such ensemble.
    """
    return _champion(connection, _name_of(connection, version))


def check_promotable(connection: Connection, version: str, *, although_refused: bool = False) -> None:
    """Makes sure that `promote` would not refuse this version.

    Args:
        connection: to the database.
        version: an ensemble's.
        although_refused: whether it may be one that the gate refused when it judged it last.

    Raises:
        ModelError: there is no such ensemble, it is champion already, or the gate refused it.
    """
    if champion_beside(connection, version) == version:
        raise ModelError(f"`{version}` is the champion already; see `lungline models list`.")
    query = select(gates.c.decision, gates.c.reason).where(gates.c.challenger == version).order_by(gates.c.judged_at.desc()).limit(1)
    ruled = connection.execute(query).one_or_none()
    if ruled and ruled.decision == "refused" and not although_refused:
        raise ModelError(f"The gate refused `{version}`: {ruled.reason}. To promote it all the same, add `--although-refused`.")


def promote(
    connection: Connection, version: str, members: Sequence[str], by: str, why: str, *, although_refused: bool = False
) -> str | None:
    """Makes an ensemble the champion of its name, and its members with it; the one before it becomes retired, and is returned.

    Raises:
        ModelError: as `check_promotable`; or `by` or `why` is empty or too long.
    """
    check_promotable(connection, version, although_refused=although_refused)
    champion = champion_beside(connection, version)
    _change(connection, champion, version, members, "promote", by, why)
    return champion


def before(connection: Connection, name: str | None) -> tuple[str, str]:
    """A champion, and the one that it was promoted over: what `rollback` would change.

    Args:
        connection: to the database.
        name: xray, ct or admission; None: whichever was promoted last.

    Raises:
        ModelError: no champion of that name was promoted over another.
    """
    query = (
        select(promotions.c.to_version, promotions.c.from_version)
        .join(versions, versions.c.version == promotions.c.to_version)
        .where(versions.c.state == "champion", promotions.c.action == "promote", promotions.c.from_version.is_not(None))
        .order_by(promotions.c.promoted_at.desc(), promotions.c.id.desc())
    )
    found = connection.execute(query if name is None else query.where(promotions.c.name == name)).first()
    if found is None:
        raise ModelError("There is no earlier champion to go back to; see `lungline models list`.")
    return found.to_version, found.from_version


def rollback(connection: Connection, champion: str, former: str, members: Sequence[str], by: str, why: str) -> None:
    """Makes `former` champion again, as `before` told; asked again, it goes back one further.

    Raises:
        ModelError: `champion` is no longer champion, or `by` or `why` is empty or too long.
    """
    if _champion(connection, _name_of(connection, former)) != champion:
        raise ModelError(f"`{champion}` is no longer the champion; see `lungline models list`.")
    _change(connection, champion, former, members, "rollback", by, why)


def put_back(connection: Connection, version: str) -> str | None:
    """Who went back from a version, and why, if that was the last that became of it; else None."""
    touches = or_(promotions.c.from_version == version, promotions.c.to_version == version)
    query = select(promotions).where(touches).order_by(promotions.c.promoted_at.desc(), promotions.c.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return f"{row.promoted_by}: {row.why}" if row and row.action == "rollback" and row.from_version == version else None


def come_of(connection: Connection, made: Sequence[str], run_id: str) -> None:
    """Notes which training run made an ensemble and members, if no other run did before."""
    mine = and_(versions.c.version.in_(made), versions.c.run_id.is_(None), versions.c.shipped.is_(False))
    connection.execute(update(versions).where(mine).values(run_id=run_id))


def run_of(connection: Connection, version: str) -> str | None:
    """The training run that made a version, or None."""
    found: str | None = connection.scalar(select(versions.c.run_id).where(_is(version)))
    return found


def made_by(connection: Connection, run_id: str) -> set[str]:
    """The versions that a training run was the first to make."""
    return set(connection.scalars(select(versions.c.version).where(versions.c.run_id == run_id)))


def refuse(connection: Connection, refused: Sequence[str], why: str) -> None:
    """Marks a challenger that the gate refused, and those of its members and of the run's that no champion has."""
    coming = and_(versions.c.state == "challenger", versions.c.version.in_(refused))
    connection.execute(update(versions).where(coming).values(state="refused", why=why[:_LONGEST_REASON]))


def _change(connection: Connection, champion: str | None, version: str, members: Sequence[str], action: str, by: str, why: str) -> None:
    by, why = check_grounds(by, why)
    new = connection.execute(select(versions.c.name, versions.c.modality).where(_is(version))).one()
    leaving = and_(versions.c.kind == "member", versions.c.modality.is_not_distinct_from(new.modality), versions.c.version.not_in(members))
    leaving = and_(versions.c.state == "champion", or_(leaving, _is(champion)))
    connection.execute(update(versions).where(leaving).values(state="retired"))
    coming = and_(versions.c.state != "champion", versions.c.version.in_([version, *members]))
    said = {"promoted_at": now(), "promoted_by": by, "why": why}
    connection.execute(update(versions).where(coming).values(state="champion", **said))
    connection.execute(
        insert(promotions).values(id=new_id(), name=new.name, action=action, from_version=champion, to_version=version, **said)
    )
    audit.note(connection, Action(action), f"in place of {champion or 'none'}: {why}", who=by, subject=version)


def _name_of(connection: Connection, version: str) -> str:
    """The name of an ensemble version; all of that name wait for this transaction."""
    found = connection.execute(select(versions.c.kind, versions.c.name).where(_is(version))).one_or_none()
    if found is None:
        raise ModelError("There is no such version; see `lungline models list`.")
    if found.kind != "ensemble":
        raise ModelError(f"`{version}` is a member; promote an ensemble of it. See `lungline models list`.")
    connection.execute(select(versions.c.version).where(versions.c.name == found.name).order_by(versions.c.version).with_for_update())
    return str(found.name)


def _champion(connection: Connection, name: str) -> str | None:
    query = select(versions.c.version).where(versions.c.kind == "ensemble", versions.c.name == name, versions.c.state == "champion")
    champion: str | None = connection.scalar(query)
    return champion


def _was_shipped(connection: Connection, version: str) -> bool:
    return bool(connection.scalar(select(versions.c.shipped).where(_is(version))))


def _is(version: str | None) -> ColumnElement[bool]:
    return versions.c.version == version
