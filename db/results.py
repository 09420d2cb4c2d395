"""Verdicts: written once a batch, each fenced by its claim, one current verdict a scan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from db import jobs, series
from db.clock import now
from db.jobs import Claim
from db.scans import REREAD
from db.series import SeriesName
from db.tables import Priority, Rank, predictions, probabilities, scans, verdicts
from lungline.findings import Modality, Status
from lungline.ids import new_id
from lungline.reasons import Reason

HEADER_VERSION: Final = 1
"""Grows with each fact that is looked for in headers besides: scans of an earlier one can be filled by `lungline reprocess --headers`."""


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
    body_part: str | None = None
    orientation: str | None = None
    instance_number: int | None = None
    slice_position_mm: float | None = None
    slice_thickness_mm: float | None = None
    slice_spacing_mm: float | None = None
    kernel: str | None = None
    derivation: str | None = None
    acquisition: int | None = None
    slices_expected: int | None = None
    lung_share: float | None = None
    """Of a CT slice: how much of the body's box the lungs fill, 0 to 1."""
    header_version: int = HEADER_VERSION

    @property
    def series(self) -> SeriesName:
        """That the scan belongs to."""
        return SeriesName(self.patient_key or "", self.study_key or "", self.series_key or "", self.modality or "")


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


def record_all(
    connection: Connection, verdicts_by_claim: Sequence[tuple[Claim, ScanFacts, Verdict]], quiet_seconds: float = series.QUIET_SECONDS
) -> list[bool]:
    """Ends the jobs of reading scans with a verdict each; which were written: of a claim that is void, nothing is.

    The series of these scans are assessed once they were quiet for `quiet_seconds`.
    """
    held = jobs.finish_all(connection, [claim for claim, _, _ in verdicts_by_claim])
    kept = [(claim.subject, facts, verdict) for claim, facts, verdict in verdicts_by_claim if claim in held]
    reread = {claim.subject for claim in held if claim.kind == REREAD}
    if kept:
        _write_facts(connection, {scan_id: facts for scan_id, facts, _ in kept})
        stand = {scan_id for scan_id, _, verdict in kept if scan_id in reread and _replace_current(connection, scan_id, verdict.ensemble)}
        _write(connection, [(scan_id, verdict) for scan_id, _, verdict in kept if scan_id not in stand])
        _note_series(connection, [(claim, facts) for claim, facts, _ in verdicts_by_claim if claim in held], quiet_seconds)
    return [claim in held for claim, _, _ in verdicts_by_claim]


def _note_series(connection: Connection, verdicts_by_claim: Sequence[tuple[Claim, ScanFacts]], quiet_seconds: float) -> None:
    """Once for each series of a batch: most of its scans are of one."""
    urgent: dict[SeriesName, bool] = {}
    for claim, facts in verdicts_by_claim:
        urgent[facts.series] = urgent.get(facts.series, False) or claim.priority == Rank.STAT
    for name, is_urgent in sorted(urgent.items()):  # in one order, so that two workers do not wait in a circle
        series.note_verdict(connection, name, Priority.STAT if is_urgent else Priority.SCANS, quiet_seconds)


def _write_facts(connection: Connection, facts: Mapping[str, ScanFacts]) -> None:
    statement = update(scans).where(scans.c.id == bindparam("scan_id"))
    connection.execute(statement, [{"scan_id": scan_id, **vars(known), "reread_reason": None} for scan_id, known in facts.items()])


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


_COLUMNS: Final = ("ensemble", "finding", "probability", "status", "reason", "disagreement", "entropy")


def _write(connection: Connection, verdicts_by_claim: Sequence[tuple[str, Verdict]]) -> None:
    """Enters the verdicts of scans."""
    rows = [(new_id(), scan_id, verdict) for scan_id, verdict in verdicts_by_claim]
    entered = [{"id": id, "scan_id": scan_id, **{name: getattr(verdict, name) for name in _COLUMNS}} for id, scan_id, verdict in rows]
    calibrated = [
        {"verdict_id": id, "finding": finding, "probability": probability}
        for id, _, verdict in rows
        for finding, probability in verdict.probabilities.items()
    ]
    own = [
        {"verdict_id": id, "member": member, "member_version": version, "finding": finding, "probability": probability}
        for id, _, verdict in rows
        for member, version, predicted in verdict.predictions
        for finding, probability in predicted.items()
    ]
    for statement, values in (
        (insert(verdicts).values(finished_at=now()), entered),
        (insert(probabilities), calibrated),
        (insert(predictions), own),
    ):
        if values:
            connection.execute(statement, values)
