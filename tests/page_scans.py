"""Scans and studies with verdicts and assessments, as workers leave them, and with their bytes in the store."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from db import assessments, drops, jobs
from db.assessments import SeriesAssessment, StudyAssessment
from db.drops import Drop
from db.results import ScanFacts, Verdict
from db.tables import Priority, Stage, scans, series
from jobs.kinds import READ
from lungline.findings import Modality, Status
from lungline.ids import new_id
from lungline.layout import Store
from tests.ledger import record
from web.site import Site

KEY = "0123456789abcdef"


def put_bytes(site: Site, data: bytes, name: str = "scan.dcm") -> str:
    """Puts bytes into the store and enters their scan, which waits then; its id."""
    sha256 = hashlib.sha256(data).hexdigest()
    folder = Store(site.settings.store).folder(sha256)
    folder.mkdir(parents=True)
    (folder / name).write_bytes(data)
    drop = Drop(new_id(), sha256, len(data), Priority.SCANS, None)
    with site.database.writing() as connection:
        drops.accept(connection, drop)
        return str(connection.scalar(select(scans.c.id).where(scans.c.file_id == drop.id)))


def judge(site: Site, scan_id: str, covid19: float, modality: Modality = Modality.CT, **facts: Any) -> None:
    """Gives a scan a verdict by two members."""
    other = "non_covid" if modality is Modality.CT else "normal"
    shares = {"covid19": covid19, other: 1 - covid19}
    finding = "covid19" if covid19 >= 0.5 else other
    members = [(name, f"{name}-1a2b3c4d", shares) for name in ("first", "second")]
    verdict = Verdict(
        "ensemble-1",
        Status.ACCEPTED,
        finding,
        shares[finding],
        disagreement=0.02,
        entropy=0.1,
        probabilities=shares,
        predictions=members,
    )
    with site.database.writing() as connection:
        claim = jobs.claim(connection, (READ.name,), [scan_id], "slot/boot/x", READ.lease_seconds)[scan_id]
        assert record(connection, claim, ScanFacts(modality, 64, 64, **facts), verdict)


def make_study(site: Site, study_key: str, covid19: float = 0.9, patient_key: str = KEY, status: Status = Status.REVIEW) -> list[str]:
    """A study of one CT series of three slices whose bytes the store lacks; the ids of its scans."""
    ids = []
    for number in range(3):
        drop = Drop(new_id(), new_id().replace("-", "") * 2, 1, Priority.SCANS, None)
        with site.database.writing() as connection:
            drops.accept(connection, drop)
            scan_id = str(connection.scalar(select(scans.c.id).where(scans.c.file_id == drop.id)))
        keys: dict[str, Any] = {"study_key": study_key, "series_key": study_key[::-1], "patient_key": patient_key}
        judge(site, scan_id, covid19, slice_position_mm=10.0 * number, **keys)
        ids.append(scan_id)
    with site.database.writing() as connection:
        assess(connection, study_key, covid19, status)
    return ids


def assess(connection: Connection, study_key: str, covid19: float, status: Status) -> None:
    """Says something final of a study's one series, and of the study."""
    row = connection.execute(select(series).where(series.c.series_key == study_key[::-1])).one()
    finding = "covid19" if covid19 >= 0.5 else "non_covid"
    said: dict[str, Any] = {
        "finding": finding,
        "probability": max(covid19, 1 - covid19),
        "status": status,
        "stage": Stage.FINAL,
        "reason": None,
        "priority": Priority.SCANS,
        "first_received_at": datetime.now(UTC),
    }
    of_series = SeriesAssessment(
        **said, slices=3, slices_used=3, slices_expected=None, gaps=0, ensemble="ensemble-1", rule="rule-1", inputs={}
    )
    assessments.write_series(connection, row.id, of_series)
    assessments.write_study(connection, row.study_id, StudyAssessment(**said, modalities=["ct"], series=1, scans=3))
