"""Users of the page: added, listed, removed by an admin at the machine; and how they log in."""

import getpass
import re
import secrets
from typing import Final

from sqlalchemy import Engine

from db import errors, users
from db.connect import read_only
from db.migrate import open_database
from db.rows import storable
from db.tables import Role
from db.users import PageUser
from lungline.durable import replace_text
from lungline.errors import LedgerError, SettingsError
from lungline.passwords import LENGTH_MAX, LENGTH_MIN, hash_password, is_password, make_password
from lungline.settings import Settings

FIRST: Final = "admin"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


def add_user(settings: Settings, name: str, role: Role, password: str | None = None) -> str | None:
    """Adds a user, or gives one who is there another password; returns the password that was made where none is given.

    A password that was made is for one log-in: the user must choose another.

    Raises:
        SettingsError: the name or the password is not one that can be used.
        LedgerError: the user has the other role.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError("A user's name has 1 to 64 of a-z, 0-9, `.`, `_`, `@` and `-`, and begins with a letter or digit.")
    if password is not None and (fault := describe_fault(password)):
        raise SettingsError(fault)
    made = make_password() if password is None else None
    kept, must_change, who = hash_password(password or made or ""), made is not None, current_user()
    with open_database(settings).begin() as connection:
        if not users.add(connection, name, role, kept, must_change=must_change, who=who):
            known = next(user for user in users.list_users(connection) if user.name == name)
            if known.role is not role:
                raise LedgerError(f"`{name}` is there already, as {known.role}: remove that user first with `lungline user remove`.")
            users.set_password(connection, name, kept, must_change=must_change, who=who)
    return made


def list_users(settings: Settings) -> list[PageUser]:
    """All users, by name."""
    with read_only(open_database(settings)).connect() as connection:
        return users.list_users(connection)


def remove_user(settings: Settings, name: str) -> None:
    """Removes a user and logs them out.

    Raises:
        LedgerError: there is no such user, or it is the last admin.
    """
    with open_database(settings).begin() as connection:
        people = users.list_users(connection)
        if name in [user.name for user in people] and not users.has_other_admin(people, name):
            raise LedgerError("This is the last admin: add another first with `lungline user add NAME --role admin`.")
        if not users.remove(connection, storable(name), who=current_user()):
            raise LedgerError("There is no such user; `lungline user list` shows all.")


def add_first_user(settings: Settings, engine: Engine) -> None:
    """Enters `admin` where there is no user yet, with a password that is written to a file that only this account can read.

    Raises:
        OSError: the file cannot be written; then there is no user either.
    """
    with read_only(engine).connect() as connection:
        if users.list_users(connection):
            return
    password = make_password()
    kept = hash_password(password)  # takes a while: no transaction is open meanwhile
    with engine.begin() as connection:
        if users.add_first(connection, FIRST, kept):
            settings.layout.secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_text(settings.layout.web_password, password + "\n", mode=0o600)


def log_in(engine: Engine, name: str, password: str) -> str | None:
    """Logs a user in; returns the token of the browser, or None: the name or password is wrong, or the user is locked for a while.

    Raises:
        LedgerError: the database cannot be used now.
    """
    name = name.strip().lower()
    with errors.translating(), engine.begin() as connection:
        kept = users.begin_attempt(connection, name) if _NAME.fullmatch(name) else None
    if not is_password(password[:LENGTH_MAX], kept):
        return None
    token = secrets.token_urlsafe(32)
    with errors.translating(), engine.begin() as connection:
        users.log_in(connection, name, token)
    return token


def change_password(settings: Settings, engine: Engine, login: users.Login, former: str, password: str) -> str | None:
    """Gives a user who is logged in another password; returns what is wrong, or None. Logs out their other browsers."""
    name = login.user.name
    with engine.begin() as connection:
        kept = users.begin_attempt(connection, name)
    if not is_password(former[:LENGTH_MAX], kept):
        return "The present password is wrong, or there were too many attempts: wait five minutes."
    if former == password:
        return "Choose a password that differs from the present one."
    if fault := describe_fault(password):
        return fault
    fresh = hash_password(password)
    with engine.begin() as connection:
        users.set_password(connection, name, fresh, must_change=False, who=name, keep=login.token_hash)
    if name == FIRST:
        settings.layout.web_password.unlink(missing_ok=True)
    return None


def describe_fault(password: str) -> str:
    """What is wrong with a password that a person chose; empty if nothing is."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        return f"A password has {LENGTH_MIN} to {LENGTH_MAX} characters; a few random words make a good one."
    return ""


def current_user() -> str:
    """Who runs this process, for the audit."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
