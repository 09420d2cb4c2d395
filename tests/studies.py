"""Assessed studies in a ledger and a store, for tests of what is made of them."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text

from db import drops, jobs
from db.drops import Drop
from db.jobs import Claim
from db.results import ScanFacts, Verdict
from db.tables import Priority
from imaging.phantoms import phantom
from jobs.kinds import ASSESS
from lungline.findings import Modality, Status
from lungline.ids import new_id
from lungline.layout import Store
from models.series_rule import SeriesRule
from tests.corpus.files import PLANTED, dicom
from tests.ledger import claim_scan, record
from workers.assessing import assess

RULE: Final = SeriesRule(
    version="r-1", ensemble="ct-1", features=("mean",), weights=(10.0,), intercept=-5.0, low=0.2, high=0.8, lung_share_min=0.1
)
STUDY_UID: Final = "1.2.826.0.1.3680043.8.498.1"
MEMBER: Final = "ct_member"


def enter_study(connection: Connection, /, store: Path, slices: int = 6, covid19: float = 0.9, **tags: Any) -> None:
    """A CT of so many slices, judged and assessed as final; its originals lie in the store. `tags`: of each original."""
    for number in range(1, slices + 1):
        enter_slice(connection, store, number, covid19 - 0.01 * number, **tags)
    assess_study(connection)


def enter_slice(connection: Connection, /, store: Path, number: int, covid19: float, **tags: Any) -> str:
    """A slice of it with its verdict; its scan."""
    uids = {"StudyInstanceUID": STUDY_UID, "SeriesInstanceUID": f"{STUDY_UID}.1", "SOPInstanceUID": f"{STUDY_UID}.1.{number}"}
    data = dicom(phantom("ct", number), "CT", **{**PLANTED, **uids, "InstanceNumber": number, **tags})
    sha256 = hashlib.sha256(data).hexdigest()
    folder = Store(store).folder(sha256)
    folder.mkdir(parents=True)
    (folder / f"{number}.dcm").write_bytes(data)
    drops.accept(connection, Drop(new_id(), sha256, len(data), Priority.SCANS, None))
    scan_id = str(connection.scalar(text("SELECT id FROM scans WHERE sha256 = :it"), {"it": sha256}))
    claim = claim_scan(connection, scan_id)
    assert claim is not None
    assert record(connection, claim, _facts(number), _verdict(covid19), quiet_seconds=0.0)
    return scan_id


def assess_study(connection: Connection, final_seconds: float = 0.0) -> None:
    """Assesses what is due, as a worker does."""
    for subject in list(connection.scalars(text("SELECT subject FROM jobs WHERE kind = 'assess'"))):
        claim: Claim = jobs.claim(connection, (ASSESS.name,), [subject], "slot/boot/x", ASSESS.lease_seconds)[subject]
        assert assess(connection, claim, RULE, final_seconds) is not None


def _facts(number: int) -> ScanFacts:
    return ScanFacts(
        Modality.CT,
        512,
        512,
        patient_key="p",
        study_key="st",
        series_key="se",
        orientation="axial",
        lung_share=0.4,
        instance_number=number,
        slice_position_mm=2.0 * number,
    )


def _verdict(covid19: float) -> Verdict:
    both = {"covid19": covid19, "non_covid": 1 - covid19}
    finding = max(both, key=lambda name: both[name])
    made = Verdict("ct-1", Status.ACCEPTED, finding, both[finding], None, 0.0, 0.5, both)
    return replace(made, predictions=((MEMBER, "v1", both),))
