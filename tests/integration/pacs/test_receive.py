"""The receiver, as dcmtk's storescu and pynetdicom's own sender meet it."""

import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from imaging.phantoms import phantom
from pacs.receive import DicomReceiver
from tests.corpus.files import dicom
from tests.senders import received, send

SLICE = dicom(phantom("ct", 1), "CT")
Start = Callable[..., DicomReceiver]


def test_what_is_sent_lies_in_the_inbox_whole(start: Start, home: Path) -> None:
    assert send(start(), SLICE) == 0x0000

    (path,) = received(home)
    found = dcmread(path)
    assert found.SOPInstanceUID == dcmread(BytesIO(SLICE)).SOPInstanceUID
    assert found.pixel_array.tobytes() == phantom("ct", 1).tobytes()
    assert list((home / "inbox" / ".receiving").iterdir()) == []


def test_an_echo_is_answered(start: Start) -> None:
    receiver = start()
    entity = AE()
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", receiver.port, ae_title="LUNGLINE")

    answer = association.send_c_echo()
    association.release()

    assert answer.Status == 0x0000


@pytest.mark.parametrize(("called", "calling"), [("LUNGLINESTAT", "PACS"), ("LUNGLINE", "ERSTAT")])
def test_a_stat_title_makes_it_urgent(start: Start, home: Path, called: str, calling: str) -> None:
    assert send(start(), SLICE, called=called, calling=calling) == 0x0000

    (path,) = received(home)
    assert path.parent.name == "stat"


def test_only_named_peers_may_send(start: Start, home: Path) -> None:
    receiver = start(peers="PACS, OTHER@10.1.2.3")

    assert send(receiver, SLICE, calling="PACS") == 0x0000
    assert send(receiver, SLICE, calling="OTHER") is None
    assert send(receiver, SLICE, calling="STRANGER") is None
    assert len(received(home)) == 1


def test_another_title_is_turned_away(start: Start) -> None:
    assert send(start(), SLICE, called="SOMEBODY") is None


def test_a_full_disk_is_told_and_loses_nothing(start: Start, home: Path) -> None:
    receiver = start(reserve_bytes=1 << 60)

    assert send(receiver, SLICE) == 0xA700

    assert received(home) == []


def test_what_a_killed_receiver_left_is_removed(start: Start, home: Path) -> None:
    (home / "inbox" / ".receiving").mkdir()
    (home / "inbox" / ".receiving" / "half.dcm").write_bytes(b"half")

    start()

    assert list((home / "inbox" / ".receiving").iterdir()) == []


@pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk's storescu is not installed")
def test_dcmtk_sends_many(start: Start, home: Path, tmp_path: Path) -> None:
    receiver = start()
    for number in range(20):
        (tmp_path / f"{number}.dcm").write_bytes(dicom(phantom("ct", number), "CT"))
    files = sorted(str(path) for path in tmp_path.glob("*.dcm"))

    sent = subprocess.run(["storescu", "-aec", "LUNGLINE", "127.0.0.1", str(receiver.port), *files], capture_output=True, timeout=60)

    assert sent.returncode == 0
    assert len(received(home)) == 20
