"""Verdicts: written once a batch, each fenced by its claim, one current verdict a scan."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, insert, select, update

from db import jobs
from db.clock import now
from db.jobs import Claim
from db.scans import REREAD
from db.tables import predictions, probabilities, scans, verdicts
from lungline.findings import Modality, Status
from lungline.ids import new_id
from lungline.reasons import Reason


@dataclass(frozen=True)
class ScanFacts:
    """What analysts may know of a scan's header: pseudonyms, bands and codes, nothing that names anyone."""

    modality: Modality | None
    rows: int
    columns: int
    patient_key: str | None = None
    patient_sex: str | None = None
    patient_age_band: str | None = None
    study_key: str | None = None
    series_key: str | None = None
    image_key: str | None = None
    view: str | None = None
    manufacturer: str | None = None
    device_model: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What the ensemble says of a scan. Finding, probability, disagreement and entropy are None for `rejected` alone.

    `reason`: why it was rejected, or why it is for review whatever the networks say; else None.
    """

    ensemble: str
    status: Status
    finding: str | None = None
    probability: float | None = None
    reason: Reason | None = None
    disagreement: float | None = None
    entropy: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)  # finding -> calibrated probability; sum 1
    predictions: Sequence[tuple[str, str, dict[str, float]]] = ()  # (member, its version, finding -> probability)


def record(connection: Connection, claim: Claim, facts: ScanFacts, verdict: Verdict) -> bool:
    """Ends the job of reading a scan with a verdict; False, and nothing written, if the claim is void."""
    if not jobs.finish(connection, claim):
        return False
    connection.execute(update(scans).where(scans.c.id == claim.subject).values(vars(facts) | {"reread_reason": None}))
    if claim.kind != REREAD or not _replace_current(connection, claim.subject, verdict.ensemble):
        _write(connection, claim.subject, verdict)
    return True


def _replace_current(connection: Connection, scan_id: str, ensemble: str) -> bool:
    """Supersedes a scan's current verdict. True if this very version once gave one, which is current now: same bytes and versions, same
    verdict."""
    mine = verdicts.c.scan_id == scan_id
    same = and_(mine, verdicts.c.ensemble == ensemble)
    others = verdicts.c.ensemble != ensemble
    connection.execute(update(verdicts).where(mine, others, verdicts.c.superseded_at.is_(None)).values(superseded_at=now()))
    former = and_(same, verdicts.c.superseded_at.is_not(None))
    connection.execute(update(verdicts).where(former).values(superseded_at=None, reinstated_at=now()))
    return connection.scalar(select(verdicts.c.id).where(same)) is not None


def _write(connection: Connection, scan_id: str, verdict: Verdict) -> None:
    verdict_id = new_id()
    connection.execute(
        insert(verdicts).values(
            id=verdict_id,
            scan_id=scan_id,
            ensemble=verdict.ensemble,
            finding=verdict.finding,
            probability=verdict.probability,
            status=verdict.status,
            reason=verdict.reason,
            disagreement=verdict.disagreement,
            entropy=verdict.entropy,
            finished_at=now(),
        )
    )
    each = [{"verdict_id": verdict_id, "finding": f, "probability": p} for f, p in verdict.probabilities.items()]
    if each:
        connection.execute(insert(probabilities), each)
    own = [
        {"verdict_id": verdict_id, "member": member, "member_version": version, "finding": f, "probability": p}
        for member, version, said in verdict.predictions
        for f, p in said.items()
    ]
    if own:
        connection.execute(insert(predictions), own)
