"""A real Orthanc, as a hospital's PACS, where the machine has one."""

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

import pytest

from tests.servers import free_port
from tests.waiting import wait_for

_ORTHANC: Final = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin")
DICOM_WEB: Final = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")

needs_orthanc = pytest.mark.skipif(_ORTHANC is None, reason="no Orthanc on this machine (Debian: apt install orthanc)")


class Orthanc:
    """One on ports and a folder of its own; `modalities`: whom it may send to, as title, host and port; `more`: settings of its own."""

    def __init__(self, folder: Path, more: dict[str, Any] | None = None, **modalities: list[str | int]) -> None:
        self._port, self.dicom_port = free_port(), free_port()
        settings = {
            "HttpPort": self._port,
            "DicomPort": self.dicom_port,
            "DicomAet": "ORTHANC",
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "DicomModalities": modalities,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "Plugins": [str(DICOM_WEB)] if DICOM_WEB.exists() else [],
            **(more or {}),
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))
        command = [str(_ORTHANC), str(folder / "orthanc.json")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self._answers, "Orthanc's answer", 60)

    @property
    def dicom_web(self) -> str:
        """The address of its DICOMweb plugin."""
        return f"http://127.0.0.1:{self._port}/dicom-web"

    def get(self, path: str) -> Any:
        return json.loads(self.fetch(path))

    def fetch(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=60) as answer:
            return bytes(answer.read())

    def instances(self) -> list[Any]:
        """The tags of all that it has."""
        return [self.get(f"/instances/{each}/simplified-tags") for each in self.get("/instances")]

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
        except urllib.error.HTTPError:  # it asks who we are
            return True
        except (urllib.error.URLError, OSError):
            return False
