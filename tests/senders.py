"""Who sends to a receiver, and what then lies in the inbox."""

from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE

from pacs.receive import DicomReceiver


def received(home: Path) -> list[Path]:
    return sorted(path for path in (home / "inbox").rglob("*.dcm") if ".receiving" not in path.parts)


def send(receiver: DicomReceiver, data: bytes, called: str = "LUNGLINE", calling: str = "PACS") -> int | None:
    """The status that a sender is answered; None if it was not let in, -1 without an answer."""
    entity = AE(ae_title=calling)
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", receiver.port, ae_title=called)
    if not association.is_established:
        return None
    answer = association.send_c_store(dcmread(BytesIO(data)))
    association.release()
    return int(answer.Status) if answer else -1
