"""`lungline reprocess`: old scans are read again by the present champions, behind all live work, and what changed is told."""

import json
import signal
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lungline.findings import FINDINGS, Status

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from db.rereads import Change, Choice, Order
    from lungline.progress import Step

_BEHIND_ALL = "g"  # ids are hexadecimal
_POLL_SECONDS = 0.5
_FEWEST, _MOST = 4, 500  # scans asked for at a time: few until a worker answers with the champion
_SILENT_SECONDS = 60.0
_FINDINGS = sorted({finding for findings in FINDINGS.values() for finding in findings})


def reprocess(
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Scans taken in since this time: ISO 8601, in UTC unless it says otherwise.")
    ] = None,
    finding: Annotated[str | None, typer.Option(help=f"Scans with this finding now: {', '.join(_FINDINGS)}.")] = None,
    status: Annotated[Status | None, typer.Option(help="Scans with this status now.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All scans that are done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object: counts, and `changes`.")] = False,
) -> None:
    """Reread old scans with the present champions. Ctrl-C stops it; the same command goes on."""
    from db import audit, rereads
    from db.audit import Action
    from db.migrate import open_database
    from db.rereads import Choice
    from lungline.progress import say, steps
    from lungline.settings import load

    if everything == any((since, finding, status)):
        raise typer.BadParameter("choose the scans with --since, --finding, --status, or --all")
    if finding is not None and finding not in _FINDINGS:
        raise typer.BadParameter(f"a finding must be one of {', '.join(_FINDINGS)}", param_hint="--finding")
    engine = open_database(load())
    with engine.begin() as connection:
        order = rereads.begin(connection, Choice(_time(since), finding, status))
        audit.note(connection, Action.REPROCESS, f"{'went on' if order.resumed else 'began'}: {order.choice.text}", subject=order.id)
        total = rereads.left(connection, order.choice) + len(rereads.asked(connection))
    if order.resumed:
        say(f"Going on with the reprocess that was started at {order.began_at.isoformat(timespec='seconds')}.")
    with steps("read again", total) as step:
        fed = _Feeder(engine, order.choice, step)
        fed.run(_stops())
    _finish(engine, order, fed, as_json=as_json)


@dataclass
class _Feeder:
    """Keeps some scans waiting to be read again; which have been is in the database, so that any other may go on."""

    engine: "Engine"
    choice: "Choice"
    step: "Step"
    anew: int = 0
    failed: int = 0
    _open: set[str] = field(default_factory=set)
    _most: int = _FEWEST
    _cursor: str = ""
    _put_off: bool = False
    _heard: float = field(default_factory=time.monotonic)

    def run(self, stopped: threading.Event) -> None:
        from db import errors, rereads
        from lungline.errors import LedgerError
        from lungline.progress import say

        while not stopped.is_set():
            with suppress(LedgerError), errors.translating():  # the database is away; what was asked for stays asked for
                if not self._turn() and not self._open:
                    if not self._put_off:
                        return
                    self._cursor, self._put_off = "", False  # once more for those that a former champion answered for
            if time.monotonic() - self._heard > _SILENT_SECONDS:
                self._heard = time.monotonic()
                say(
                    "Nothing was reread for a minute: see `lungline status`, and the log of inference-0 for problems with loading "
                    "the champion."
                )
            stopped.wait(_POLL_SECONDS)
        with self.engine.begin() as connection:
            rereads.call_back(connection)

    def _turn(self) -> bool:
        """Counts what has ended, and asks for more; False if there is no more from here on."""
        from db import rereads

        with self.engine.begin() as connection:
            still = rereads.asked(connection)
            ended = rereads.ended(connection, self._open - still)
            room = max(0, self._most - len(still))
            asked = rereads.ask(connection, self.choice, self._cursor, room) if room else []
        self._open = still | set(asked)
        if room:
            self._cursor = asked[-1] if asked else _BEHIND_ALL  # an archive is not searched in vain twice a second
        self.anew, self.failed = self.anew + ended.anew, self.failed + ended.failed
        if ended.anew or ended.failed:
            self.step(ended.anew + ended.failed)
            self._heard = time.monotonic()
        if ended.put_off:
            self._put_off, self._most = True, _FEWEST
        elif ended.anew:
            self._most = min(_MOST, 2 * self._most)
        return bool(asked) or room == 0


def _finish(engine: "Engine", order: "Order", fed: _Feeder, *, as_json: bool) -> None:
    from cli.output import notice, print_rows
    from db import audit, rereads
    from db.audit import Action

    with engine.begin() as connection:
        left = rereads.left(connection, order.choice) + len(rereads.asked(connection))
        failures, changes = rereads.failures(connection), rereads.changes(connection, order)
        if not left:
            rereads.end(connection, order)
        summary = _summarize(fed.anew, failures, left, changes)
        audit.note(connection, Action.REPROCESS, f"{'stopped' if left else 'ended'}: {summary}", subject=order.id)
    if as_json:
        print(json.dumps({"read_again": fed.anew, "failed": failures, "left": left, "changes": [asdict(one) for one in changes]}))
    else:
        columns = ("modality", "finding_before", "finding", "status_before", "status", "scans")
        print_rows([asdict(one) for one in changes], as_json=False, columns=columns)
        print(summary)
    notice()
    if left or failures:
        raise typer.Exit(1)


def _summarize(anew: int, failures: dict[str, int], left: int, changes: "list[Change]") -> str:
    findings = sum(one.scans for one in changes if one.finding != one.finding_before)
    statuses = sum(one.scans for one in changes if one.status != one.status_before)
    said = [f"{anew} read again", f"{findings} findings and {statuses} statuses changed"]
    said += [f"{count} cannot be read ({reason})" for reason, count in sorted(failures.items())]
    return "; ".join([*said, *([f"{left} left; run the same command to go on"] if left else [])]) + "."


def _time(said: str | None) -> datetime | None:
    if said is None:
        return None
    try:
        time_ = datetime.fromisoformat(said)
        return (time_ if time_.tzinfo else time_.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter("a time must look like 2026-11-21 or 2026-11-21T08:00:00+01:00", param_hint="--since") from None


def _stops() -> threading.Event:
    """Set by Ctrl-C and SIGTERM; a second one ends the command at once."""
    stopped = threading.Event()

    def stop(number: int, _: object) -> None:
        stopped.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopped
