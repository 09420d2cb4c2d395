"""Users of the page, and their log-ins. What a password is, lungline/passwords.py knows."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, case, delete, func, insert, null, or_, select, update

from db import audit
from db.audit import US, Action
from db.clock import now, older
from db.tables import Role, logins, users
from lungline.ids import new_id

FAILURES_MAX: Final = 5
LOCKED_SECONDS: Final = 300.0
LOGIN_SECONDS: Final = 12 * 3600.0
IDLE_SECONDS: Final = 3600.0
_SEEN_SECONDS: Final = 60.0  # not every request is a write


@dataclass(frozen=True)
class PageUser:
    """A user as the page and `lungline user list` show it."""

    name: str
    role: Role
    must_change: bool
    created_at: datetime


@dataclass(frozen=True)
class Login:
    """A browser that is logged in."""

    user: PageUser
    token_hash: str
    form_token: str
    """That each form of this browser carries."""


def add(connection: Connection, name: str, role: Role, password: str, *, must_change: bool, who: str) -> bool:
    """Enters a user with a hashed password; False if the name is taken."""
    if connection.scalar(select(users.c.id).where(users.c.name == name)) is not None:
        return False
    values = {"role": role, "password": password, "must_change": must_change, "failures": 0, "created_at": now()}
    connection.execute(insert(users).values(id=new_id(), name=name, **values))
    audit.note(connection, Action.USER, f"added as {role}", who=who, subject=name)
    return True


def add_first(connection: Connection, name: str, password: str) -> bool:
    """Enters the first user, an admin who must choose another password; False if there is a user already."""
    return not connection.scalar(select(func.count()).select_from(users)) and add(
        connection, name, Role.ADMIN, password, must_change=True, who=US
    )


def list_users(connection: Connection) -> list[PageUser]:
    """All users, by name."""
    return [_user(row) for row in connection.execute(select(users).order_by(users.c.name))]


def remove(connection: Connection, name: str, *, who: str) -> bool:
    """Removes a user and logs them out; False if there is none of this name. What they did stays in the audit."""
    user_id = connection.scalar(select(users.c.id).where(users.c.name == name))
    if user_id is None:
        return False
    connection.execute(delete(logins).where(logins.c.user_id == user_id))
    connection.execute(delete(users).where(users.c.id == user_id))
    audit.note(connection, Action.USER, "removed", who=who, subject=name)
    return True


def set_password(connection: Connection, name: str, password: str, *, must_change: bool, who: str, keep: str = "") -> bool:
    """Gives a user another hashed password and unlocks them; False if there is none of this name. Logs out all browsers but `keep`."""
    changed = update(users).where(users.c.name == name).values(password=password, must_change=must_change, failures=0, locked_until=null())
    if not connection.execute(changed).rowcount:
        return False
    mine = select(users.c.id).where(users.c.name == name).scalar_subquery()
    connection.execute(delete(logins).where(logins.c.user_id == mine, logins.c.token_hash != keep))
    audit.note(connection, Action.USER, "another password", who=who, subject=name)
    return True


def begin_attempt(connection: Connection, name: str) -> str | None:
    """Counts an attempt to log in, and returns the hashed password to compare; None where there is no such user, or it is locked.

    An attempt counts before the password is looked at, so that many at a time do not get more than their share.
    """
    is_free = or_(users.c.locked_until.is_(None), users.c.locked_until < now())
    failures = case((users.c.locked_until.is_not(None), 1), else_=users.c.failures + 1)  # a lock that is over begins anew
    locked = case((failures >= FAILURES_MAX, now(LOCKED_SECONDS)), else_=null())
    counted = update(users).where(users.c.name == name, is_free).values(failures=failures, locked_until=locked)
    row = connection.execute(counted.returning(users.c.password, users.c.locked_until)).first()
    if row is None:
        return None
    if row.locked_until is not None:
        audit.note(connection, Action.USER, f"locked for {LOCKED_SECONDS / 60:.0f} minutes after {FAILURES_MAX} attempts", subject=name)
    return str(row.password)


def log_in(connection: Connection, name: str, token: str) -> None:
    """Logs a browser in, whose password was right; removes log-ins that have ended, of whomever."""
    ended = or_(older(logins.c.created_at, LOGIN_SECONDS), older(logins.c.seen_at, IDLE_SECONDS))
    connection.execute(delete(logins).where(ended))
    freed = update(users).where(users.c.name == name).values(failures=0, locked_until=null()).returning(users.c.id)
    user_id = connection.execute(freed).scalar_one()
    values = {"form_token": secrets.token_hex(32), "created_at": now(), "seen_at": now()}
    connection.execute(insert(logins).values(token_hash=hash_token(token), user_id=user_id, **values))
    audit.note(connection, Action.LOGIN, "logged in", who=name)


def find_login(connection: Connection, token: str) -> Login | None:
    """The log-in of a browser that shows this token; None where there is none, or it has ended."""
    has_ended = or_(older(logins.c.created_at, LOGIN_SECONDS), older(logins.c.seen_at, IDLE_SECONDS))
    query = select(users.c.name, users.c.role, users.c.must_change, users.c.created_at, logins.c.token_hash, logins.c.form_token)
    query = query.select_from(logins.join(users)).where(logins.c.token_hash == hash_token(token), ~has_ended)
    row = connection.execute(query).first()
    return None if row is None else Login(_user(row), row.token_hash, row.form_token)


def is_due(connection: Connection, login: Login) -> bool:
    """Whether it is time to note that a browser was seen."""
    query = select(logins.c.token_hash).where(logins.c.token_hash == login.token_hash, older(logins.c.seen_at, _SEEN_SECONDS))
    return connection.scalar(query) is not None


def note_seen(connection: Connection, login: Login) -> None:
    """Notes that a browser was used now."""
    connection.execute(update(logins).where(logins.c.token_hash == login.token_hash).values(seen_at=now()))


def log_out(connection: Connection, login: Login) -> None:
    """Ends the log-in of one browser."""
    connection.execute(delete(logins).where(logins.c.token_hash == login.token_hash))


def hash_token(token: str) -> str:
    """What the table keeps of a browser's token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def has_other_admin(people: Sequence[PageUser], name: str) -> bool:
    """Whether an admin is left without this user."""
    return any(user.role is Role.ADMIN and user.name != name for user in people)


def _user(row: Any) -> PageUser:
    return PageUser(row.name, Role(row.role), bool(row.must_change), row.created_at)
