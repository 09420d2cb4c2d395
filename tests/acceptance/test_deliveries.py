"""Results of studies reach a folder by themselves, once, also if what sends them is killed in the middle."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from imaging.phantoms import phantom
from tests.acceptance.stack import Stack
from tests.corpus.files import dicom

pytestmark = pytest.mark.timeout(400)

STUDIES = 6
PATIENT = "MRN-DELIVERED"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack], out: Path) -> Stack:
    settings = {"SERIES_QUIET_SECONDS": "1", "SERIES_FINAL_SECONDS": "3", "DELIVER_TO": f"folder:{out}", "DELIVER_WHEN": "all"}
    stack = make_stack(**settings)
    stack.up()
    return stack


def test_each_study_has_one_result_of_each_kind(stack: Stack, out: Path) -> None:
    studies = [str(generate_uid()) for _ in range(STUDIES)]
    for number, study in enumerate(studies):
        uids: dict[str, Any] = {"StudyInstanceUID": study, "SeriesInstanceUID": generate_uid(), "SOPInstanceUID": generate_uid()}
        (stack.inbox / f"{number}.dcm").write_bytes(
            dicom(phantom("xray", number), "DX", PatientID=f"{PATIENT}-{number}", ViewPosition="PA", **uids)
        )
    stack.until(lambda: len(list(out.glob("*.dcm"))) >= 2, 180, "a first result")
    stack.kill("deliver")

    def ended() -> bool:
        return len(stack.query("SELECT 1 FROM deliveries WHERE state = 'delivered'")) == 2 * STUDIES

    stack.until(ended, 180, "all results delivered")
    for picture in [path for path in out.glob("*.dcm") if dcmread(path).Modality == "OT"]:
        (stack.inbox / picture.name).write_bytes(picture.read_bytes())  # as a PACS does that forwards all that it gets
    stack.await_verdicts(2 * STUDIES)
    time.sleep(6)  # of the quiet period, and more
    assert stack.query("SELECT reason FROM scan_results WHERE reason = 'own_result'") == STUDIES * [{"reason": "own_result"}]
    assert ended()
    found = sorted((str(made.StudyInstanceUID), str(made.Modality)) for made in (dcmread(path) for path in out.glob("*.dcm")))
    assert found == sorted((study, kind) for study in studies for kind in ("OT", "SR"))
    assert not list(out.glob("*.part"))
    assert stack.run("deliver", "list", "--json").stdout.count('"delivered"') == 2 * STUDIES
    assert PATIENT not in (stack.home / "logs" / "deliver.log").read_text()
