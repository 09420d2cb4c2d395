"""How the system is: what the doctor says, queues, and processes."""

import threading
from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from db import queues as queue_rows
from jobs.app import make_app
from jobs.kinds import KINDS, queues_of
from jobs.queues import queue_lengths
from lungline.child_process import ask
from lungline.errors import BrokerError, ChildError, SettingsError
from lungline.presence import live
from operations.page_orders import EXAMINE, DoctorCheck, DoctorOrder, DoctorReport
from web.site import Site, Visit

_DOCTOR_SECONDS: Final = 180.0
_examining: Final = threading.Lock()


class QueueWatch:
    """Asks Redis how long the queues are, over one connection."""

    def __init__(self) -> None:
        self._app: Any = None

    def lengths(self, site: Site) -> dict[str, int]:
        """Doorbells that lie in each queue.

        Raises:
            BrokerError, SettingsError: Redis cannot be asked.
        """
        if self._app is None:
            self._app = make_app(site.settings)
        return queue_lengths(self._app, queues_of(KINDS))


_queues: Final = QueueWatch()


def queues(visit: Visit) -> Response:
    """What waits, what runs, and who works."""
    with visit.site.database.reading() as connection:
        rows = queue_rows.backlog(connection)
    lengths: dict[str, int] = {}
    fault = ""
    try:
        lengths = _queues.lengths(visit.site)
    except (BrokerError, SettingsError) as error:
        fault = str(error)
    layout = visit.site.settings.layout
    flower = layout.flower_address.read_text().strip() if layout.flower_address.exists() else ""
    paused = {row["queue"]: bool(row["paused"]) for row in rows}
    return visit.draw("queues.html", rows=rows, paused=paused, lengths=lengths, fault=fault, processes=live(layout.run), flower=flower)


def pause(visit: Visit) -> Response:
    """Has no job of a queue begun until it is resumed."""
    with visit.site.database.writing() as connection:
        if (queue := _named(visit)) is not None:
            queue_rows.pause(connection, queue, visit.user)
    return visit.redirect("queues")


def resume(visit: Visit) -> Response:
    """Has the jobs of a queue begun again."""
    with visit.site.database.writing() as connection:
        if (queue := _named(visit)) is not None:
            queue_rows.resume(connection, queue, visit.user)
    return visit.redirect("queues")


def _named(visit: Visit) -> str | None:
    queue = visit.form.get("queue", "")
    return queue if queue in queues_of(KINDS) else None


def system(visit: Visit) -> Response:
    """A page that fetches the doctor's checks, which take some seconds."""
    return visit.draw("system.html", checks=None, fault="")


def checks(visit: Visit) -> Response:
    """What the doctor says."""
    found: Sequence[DoctorCheck] | None = None
    fault = ""
    with _examining:  # each loads networks
        try:
            found = ask(EXAMINE, DoctorOrder(), DoctorReport, seconds=_DOCTOR_SECONDS).checks
        except ChildError as error:
            fault = f"The checks failed ({error.kind}): run `lungline doctor` on the machine."
    return visit.draw("system.html", checks=found, fault=fault)
