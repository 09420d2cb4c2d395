"""Receivers on ports of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lungline.settings import load
from pacs.receive import DicomReceiver


@pytest.fixture
def start(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., DicomReceiver]]:
    """Starts one by settings without their `DICOM_`: `peers`, `certificate` …; the inbox may fill up but for `reserve_bytes`."""
    started: list[DicomReceiver] = []
    (home / "inbox").mkdir()

    def start(reserve_bytes: int = 0, **settings: str) -> DicomReceiver:
        for name, value in {"port": "0", **settings}.items():
            monkeypatch.setenv(f"LUNGLINE_DICOM_{name.upper()}", value)
        receiver = DicomReceiver(load(), reserve_bytes)
        receiver.start()
        started.append(receiver)
        return receiver

    yield start
    for receiver in started:
        receiver.stop()
