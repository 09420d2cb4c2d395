"""The audit: what people and the system did, a row each, never altered. The database itself refuses to change or delete one."""

from enum import StrEnum

from sqlalchemy import Connection, insert

from db.clock import now
from db.tables import audit
from lungline.ids import new_id

US = "lungline"  # who did what nobody asked for

_LONGEST = {"who": 64, "subject": 120, "detail": 600}


class Action(StrEnum):
    """What was done."""

    LABELS = "labels"  # readers' labels were imported, or a file of them refused
    RUN = "run"  # a training run began, ended, or was skipped
    GATE = "gate"  # a challenger was judged against its champion
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    REPROCESS = "reprocess"  # old scans were read again
    UPLOAD = "upload"  # a file came by the page
    RELEASE = "release"  # of quarantine
    USER = "user"  # of the page: added, removed, given another password, locked out
    LOGIN = "login"
    QUEUE = "queue"  # paused or resumed


def note(connection: Connection, action: Action, detail: str, *, who: str = US, subject: str | None = None, id: str | None = None) -> None:
    """Enters a row in the transaction of what it tells.

    Args:
        connection: in a transaction.
        action: what was done.
        detail: how it went, in our own words: counts, versions and reasons, nothing out of a file. Cut to 600 characters.
        who: a person as they named themselves, or a process.
        subject: a version, a run's id, or the hash of a file.
        id: the row's, where others point to it; else a new one.
    """
    values = {"who": who, "subject": subject, "detail": detail}
    row = {name: value[: _LONGEST[name]] if value else value for name, value in values.items()}
    connection.execute(insert(audit).values(id=id or new_id(), at=now(), action=action, **row))
