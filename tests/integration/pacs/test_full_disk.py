"""The disk of the inbox fills up while an object comes: its sender is told so, nothing half stays, and it goes on when there is room."""

from collections.abc import Callable
from pathlib import Path

from imaging.phantoms import phantom
from pacs.receive import DicomReceiver
from tests.corpus.files import dicom
from tests.mounts import mounted, needs_root
from tests.senders import received, send

SLICE = dicom(phantom("ct", 1), "CT")


@needs_root
def test_a_disk_that_fills_up_within_an_object_loses_nothing(start: Callable[..., DicomReceiver], home: Path) -> None:
    with mounted(home / "inbox", "-t", "tmpfs", "-o", f"size={len(SLICE) * 2 // 4096 * 4096}", "none"):
        receiver = start()
        ballast = home / "inbox" / ".ballast"
        ballast.write_bytes(bytes(len(SLICE) * 3 // 2))

        assert send(receiver, SLICE) == 0xA700

        assert received(home) == []
        assert list((home / "inbox" / ".receiving").iterdir()) == []

        ballast.unlink()

        assert send(receiver, SLICE) == 0x0000
        (path,) = received(home)
        assert path.stat().st_size >= len(SLICE) - 1000
        receiver.stop()


@needs_root
def test_a_disk_without_room_for_a_file_s_name_is_told(start: Callable[..., DicomReceiver], home: Path) -> None:
    with mounted(home / "inbox", "-t", "tmpfs", "-o", "nr_inodes=6", "none"):
        receiver = start()
        fillers = []
        try:
            for number in range(6):
                fillers.append(home / "inbox" / f".{number}")
                fillers[-1].touch()
        except OSError:
            fillers.pop()

        assert send(receiver, SLICE) == 0xA700

        for filler in fillers:
            filler.unlink()
        assert send(receiver, SLICE) == 0x0000
        assert len(received(home)) == 1
        receiver.stop()
