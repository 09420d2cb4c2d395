"""A real Orthanc forwards a study to the receiver, as a hospital's would."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from imaging.phantoms import phantom
from pacs.receive import DicomReceiver
from tests.corpus.files import dicom
from tests.orthanc import Orthanc, needs_orthanc

pytestmark = needs_orthanc

SLICES = 12


@pytest.fixture
def orthanc(tmp_path: Path, start: Callable[..., DicomReceiver]) -> Iterator[Orthanc]:
    orthanc = Orthanc(tmp_path, lungline=["LUNGLINE", "127.0.0.1", start(peers="ORTHANC").port])
    yield orthanc
    orthanc.stop()


def test_a_study_that_orthanc_forwards_lies_in_the_inbox(orthanc: Orthanc, home: Path) -> None:
    uids: dict[str, Any] = {"StudyInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3.2", "PatientID": "P"}
    for number in range(SLICES):
        made = dicom(phantom("ct", number), "CT", InstanceNumber=number, SOPInstanceUID=f"1.2.3.3.{number}", **uids)
        study = orthanc.post("/instances", made)["ParentStudy"]

    sent = orthanc.post("/modalities/lungline/store", str(study).encode())

    assert (sent["FailedInstancesCount"], sent["InstancesCount"]) == (0, SLICES)
    received = [dcmread(path) for path in (home / "inbox").glob("*.dcm")]
    assert {dataset.InstanceNumber for dataset in received} == set(range(SLICES))
    assert {str(dataset.StudyInstanceUID) for dataset in received} == {"1.2.3.1"}
