"""Queues as an admin sees them: what waits in each, paused and resumed."""

from collections.abc import Sequence

from db import queues
from db.connect import read_only
from db.migrate import open_database
from db.rows import ViewRow
from jobs.kinds import KINDS, queues_of
from lungline.errors import SettingsError
from lungline.settings import Settings


def list_queues(settings: Settings) -> Sequence[ViewRow]:
    """What waits and runs in each queue, with all columns of the view `backlog`."""
    with read_only(open_database(settings)).connect() as connection:
        return queues.backlog(connection)


def pause_queue(settings: Settings, queue: str, who: str) -> bool:
    """Has no job of a queue begun; False if it was paused already.

    Raises:
        SettingsError: there is no such queue.
    """
    _require(queue)
    engine = open_database(settings)
    with engine.begin() as connection:
        return queues.pause(connection, queue, who)


def resume_queue(settings: Settings, queue: str, who: str) -> bool:
    """Has its jobs begun again; False if it was not paused.

    Raises:
        SettingsError: there is no such queue.
    """
    _require(queue)
    engine = open_database(settings)
    with engine.begin() as connection:
        return queues.resume(connection, queue, who)


def _require(queue: str) -> None:
    if queue not in (names := queues_of(KINDS)):
        raise SettingsError(f"There is no such queue: they are {', '.join(names)}.")
