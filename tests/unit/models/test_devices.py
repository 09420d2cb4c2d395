"""Which GPU a process is given, and that one which is not there is told."""

import importlib.metadata
from pathlib import Path

import pytest

from lungline.errors import SettingsError
from models import devices


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine as `make setup GPU=1` leaves it, with the nodes that NVIDIA's driver makes for two."""

    def absent(_: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "version", absent)
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    return tmp_path


def test_gpus_are_counted_only_where_tensorflow_could_use_them(two_gpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.at_hand(two_gpus) == 2
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "2")
    assert devices.at_hand(two_gpus) == 0


def test_a_gpu_that_is_not_there_is_told_by_its_number(two_gpus: Path) -> None:
    for sound in ("auto", "cpu", "0,1"):
        devices.check("LUNGLINE_DEVICES", sound, two_gpus)
    with pytest.raises(SettingsError, match=r"LUNGLINE_DEVICES names GPU 2, .*make setup GPU=1"):
        devices.check("LUNGLINE_DEVICES", "0,2", two_gpus)


@pytest.mark.parametrize(("named", "seen"), [("auto", [None, None]), ("cpu", ["-1", "-1"]), ("0,1", ["0", "1", "0"]), ("3", ["3", "3"])])
def test_a_slot_sees_its_own_gpu_alone(named: str, seen: list[str | None]) -> None:
    given = [devices.environment(devices.of_slot(named, slot)) for slot in range(len(seen))]
    assert [environment.get("CUDA_VISIBLE_DEVICES") for environment in given] == seen
