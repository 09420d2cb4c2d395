"""A real Orthanc forwards a study to the receiver, as a hospital's would."""

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from imaging.phantoms import phantom
from pacs.receive import DicomReceiver
from tests.corpus.files import dicom
from tests.servers import free_port
from tests.waiting import wait_for

_ORTHANC = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin")
pytestmark = pytest.mark.skipif(_ORTHANC is None, reason="no Orthanc on this machine (Debian: apt install orthanc)")

SLICES = 12


class Orthanc:
    """One on ports and a folder of its own."""

    def __init__(self, folder: Path, receiver_port: int) -> None:
        self._port = free_port()
        settings = {
            "HttpPort": self._port,
            "DicomPort": free_port(),
            "DicomAet": "ORTHANC",
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "DicomModalities": {"lungline": ["LUNGLINE", "127.0.0.1", receiver_port]},
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))
        command = [str(_ORTHANC), str(folder / "orthanc.json")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self._answers, "Orthanc's answer", 60)

    def post(self, path: str, body: bytes) -> dict[str, object]:
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", body, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, object] = json.load(answer)
        return found

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/system", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False


@pytest.fixture
def orthanc(tmp_path: Path, start: Callable[..., DicomReceiver]) -> Iterator[Orthanc]:
    orthanc = Orthanc(tmp_path, start(peers="ORTHANC").port)
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
