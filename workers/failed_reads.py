"""How the job of reading a scan ends that cannot be read."""

from sqlalchemy import Connection

from db import headers, jobs, rereads, scans
from db.jobs import Claim
from jobs.kinds import HEADERS, REREAD
from lungline.reasons import Reason


def turn_away(connection: Connection, claim: Claim, reason: Reason, detail: str) -> bool:
    """Ends the job of a scan that cannot be read; False, and nothing written, if the claim is void. A reread scan keeps its verdict, and
    one whose header alone was to be read keeps its facts."""
    if claim.kind == REREAD.name:
        return rereads.fail(connection, claim, reason)
    if claim.kind == HEADERS.name:
        return headers.fail(connection, claim)
    if not jobs.finish(connection, claim):
        return False
    scans.quarantine_scan(connection, claim.subject, reason, detail)
    return True
