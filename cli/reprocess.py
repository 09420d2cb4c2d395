"""`lungline reprocess`: old scans are read again by the present champions."""

import json
import signal
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.output import notice, print_rows
from lungline.findings import FINDINGS, Status

_FINDINGS = sorted({finding for findings in FINDINGS.values() for finding in findings})
_COLUMNS = ("modality", "finding_before", "finding", "status_before", "status", "scans")


def reprocess(
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Scans taken in since this time: ISO 8601, in UTC unless it says otherwise.")
    ] = None,
    finding: Annotated[str | None, typer.Option(help=f"Scans with this finding now: {', '.join(_FINDINGS)}.")] = None,
    status: Annotated[Status | None, typer.Option(help="Scans with this status now.")] = None,
    headers: Annotated[
        bool, typer.Option("--headers", help="Read only the headers, of scans that an earlier version read; verdicts stay.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="All scans that are done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object: counts, and `changes`.")] = False,
) -> None:
    """Reread old scans with the present champions, or only their headers. Ctrl-C stops it; the same command goes on."""
    from lungline.progress import say, steps
    from lungline.settings import load
    from operations import reprocess as operation

    if headers + everything + any((since, finding, status)) != 1:
        raise typer.BadParameter("choose the scans with --since, --finding, --status, or --all; or use --headers alone")
    if headers:
        _read_headers(as_json=as_json)
        return
    if finding is not None and finding not in _FINDINGS:
        raise typer.BadParameter(f"a finding must be one of {', '.join(_FINDINGS)}", param_hint="--finding")
    done = operation.reprocess(load(), _stops(), since=_time(since), finding=finding, status=status, progress=steps, say=say)
    if as_json:
        print(json.dumps(asdict(done)))
    else:
        print_rows([asdict(change) for change in done.changes], as_json=False, columns=_COLUMNS)
        print(done.text)
    notice()
    if done.left or done.failed:
        raise typer.Exit(1)


def _read_headers(*, as_json: bool) -> None:
    from lungline.progress import steps
    from lungline.settings import load
    from operations.headers import read_headers

    done = read_headers(load(), _stops(), progress=steps)
    print(json.dumps(asdict(done)) if as_json else f"{done.headers_read} headers read, {done.left} left.")
    if done.left:
        raise typer.Exit(1)


def _time(written: str | None) -> datetime | None:
    if written is None:
        return None
    try:
        time_ = datetime.fromisoformat(written)
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
