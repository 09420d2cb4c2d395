"""How the job of reading a scan ends without a verdict: turned away, or blamed for a reader that died of it."""

from sqlalchemy import Connection

from db import job_leases, jobs, rereads, scans
from db.jobs import Claim
from jobs.kinds import READ, REREAD
from lungline.reasons import Reason


def turn_away(connection: Connection, claim: Claim, reason: Reason, detail: str) -> bool:
    """Ends the job of a scan that cannot be read; False, and nothing written, if the claim is void. A reread scan keeps its verdict."""
    if claim.kind == REREAD.name:
        return rereads.fail(connection, claim, reason)
    if not jobs.finish(connection, claim):
        return False
    scans.quarantine_scan(connection, claim.subject, reason, detail)
    return True


def blame(connection: Connection, claim: Claim, reason: Reason) -> bool:
    """The reader died with a scan, or took too long over it: it waits again, and the second time is turned away. True if it was."""
    count = job_leases.count_death if reason is Reason.READER_DIED else job_leases.count_timeout
    counted = count(connection, claim)
    if counted is None:
        return False
    if counted > READ.deaths_allowed:
        return turn_away(connection, claim, reason, reason.sentence)
    job_leases.give_back(connection, [claim])
    return False
