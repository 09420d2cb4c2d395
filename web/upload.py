"""Files that users send from the browser, and what became of each."""

from datetime import UTC, datetime
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from db import audit, drop_outcomes, scans
from db.audit import Action
from db.clock import read_clock
from lungline.errors import StoreError
from lungline.layout import FILE_BYTES_MAX
from operations.upload import Uploaded, UploadedFile, UploadTooLarge
from web.site import Visit

_CHUNK_BYTES: Final = 1 << 20


def form(visit: Visit) -> Response:
    """Where files are chosen or dropped."""
    return visit.draw("upload.html", most=FILE_BYTES_MAX >> 20)


async def take(visit: Visit) -> Response:
    """Takes one file, the request's body; answers with its hash, and since when to ask for it."""
    urgent = visit.query("urgent") == "1"
    try:
        began = await run_in_threadpool(_clock, visit)
        incoming = await run_in_threadpool(UploadedFile, visit.site.settings, visit.query("name"), is_urgent=urgent)
        try:
            uploaded = await _write(visit, incoming)
        except BaseException:  # also where the browser went away
            await run_in_threadpool(incoming.discard)
            raise
    except UploadTooLarge as error:
        return JSONResponse({"fault": str(error)}, 413)
    except StoreError as error:
        return JSONResponse({"fault": str(error)}, 507)
    await run_in_threadpool(_note, visit, uploaded)
    outcome = visit.link("outcome", sha256=uploaded.sha256)
    return JSONResponse({"outcome": f"{outcome}?since={began.timestamp():.3f}&bytes={uploaded.bytes}"})


def outcome(visit: Visit) -> Response:
    """How far a file is that was uploaded."""
    sha256 = visit.request.path_params["sha256"]
    try:
        since, size = datetime.fromtimestamp(float(visit.query("since")), UTC), int(visit.query("bytes"))
    except (ValueError, OverflowError, OSError):
        return JSONResponse({"fault": "The address is not one that an upload was answered with."}, 400)
    with visit.site.database.reading() as connection:
        found = drop_outcomes.outcome_of(connection, sha256, size, since)
        ids = [row.scan_id for row in connection.execute(scans.find_scans("sha256", sha256))]
    place = visit.link("scan", scan_id=ids[0]) if ids else None
    return JSONResponse({"outcome": found.outcome, "detail": found.detail, "known": found.was_known, "scan": place, "scans": len(ids)})


async def _write(visit: Visit, incoming: UploadedFile) -> Uploaded:
    waiting = bytearray()
    async for chunk in visit.request.stream():
        waiting += chunk
        if len(waiting) >= _CHUNK_BYTES:
            await run_in_threadpool(incoming.write, bytes(waiting))
            waiting.clear()
    await run_in_threadpool(incoming.write, bytes(waiting))
    return await run_in_threadpool(incoming.finish)


def _clock(visit: Visit) -> datetime:
    with visit.site.database.reading() as connection:
        return read_clock(connection)


def _note(visit: Visit, uploaded: Uploaded) -> None:
    # no subject: the audit names files by their hash only where they are files of labels
    with visit.site.database.writing() as connection:
        audit.note(connection, Action.UPLOAD, f"uploaded a file of {uploaded.bytes} bytes", who=visit.user)
