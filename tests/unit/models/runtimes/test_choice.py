"""Which runtime runs a member: the fastest that agrees, else the reference, and it is said."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from lungline.errors import ModelError
from lungline.settings import load
from models.files import WEIGHTS, Member, Place
from models.runtimes import agreement, cache
from models.runtimes.cache import Converted
from models.runtimes.choice import RuntimeChoice
from models.runtimes.openvino import OpenVinoRuntime


@pytest.fixture
def place(member: Member) -> Place:
    return Place(member, 1.0, 1.0)


@pytest.fixture
def folder(tmp_path: Path, member: Member, network: Converted) -> Path:
    """A cache that holds the member."""
    cache.keep(tmp_path, member, network)
    return tmp_path


@pytest.fixture
def rounding(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Makes the CPU claim bf16, and any runtime in it wrong by 0.01; the precisions that were tried."""
    tried: list[str] = []

    class RoundingRuntime(OpenVinoRuntime):
        def __init__(self, description: bytes, weights: bytes, precision: str) -> None:
            super().__init__(description, weights, "f32")
            tried.append(precision)
            self._wrong = 0.1 if precision == "bf16" else 0.0

        def run(self, batch: np.ndarray) -> np.ndarray:
            return super().run(batch) + np.array([self._wrong, 0, 0], np.float32)

    monkeypatch.setattr("models.runtimes.openvino.OpenVinoRuntime", RoundingRuntime)
    monkeypatch.setattr("models.runtimes.openvino.list_precisions", lambda: ("bf16", "f32"))
    return tried


def test_openvino_is_taken_where_it_agrees(folder: Path, place: Place) -> None:
    with capture_logs() as logs:
        assert RuntimeChoice("auto", folder).make(place).name.startswith("openvino")
    assert [line["event"] for line in logs] == ["runtime"]
    assert logs[-1]["member"] == place.member.version


def test_a_precision_that_rounds_too_much_is_passed_over(folder: Path, place: Place, rounding: list[str]) -> None:
    with capture_logs() as logs:
        assert RuntimeChoice("auto", folder).make(place).name == "openvino f32"
    assert rounding == ["bf16", "f32"]
    assert [line["event"] for line in logs] == ["runtime"]
    assert list(logs[0]["differences"]) == rounding
    with capture_logs() as logs:
        assert RuntimeChoice("auto", folder).describe(place) == "openvino f32"
    assert logs == []


def test_an_engine_that_disagrees_falls_back_and_says_so(folder: Path, place: Place, network: Converted) -> None:
    cache.keep(folder, place.member, dataclasses.replace(network, reference=network.reference + np.array([0.1, 0, 0], np.float32)))
    with capture_logs() as logs:
        runtime = RuntimeChoice("auto", folder).make(place)
    assert runtime.name == "keras"
    assert "disagrees" in logs[-1]["why"]
    with pytest.raises(ModelError, match=r"disagrees.*LUNGLINE_ENGINE=auto"):
        RuntimeChoice("openvino", folder).make(place)


def test_an_engine_that_cannot_compile_falls_back_and_says_so(folder: Path, place: Place, network: Converted) -> None:
    cache.keep(folder, place.member, dataclasses.replace(network, description=b"<net/>"))
    with capture_logs() as logs:
        runtime = RuntimeChoice("auto", folder).make(place)
    assert runtime.name == "keras"
    assert agreement.measure_difference(runtime, place.member.preprocess, network.reference, 1.0) < 1e-5
    assert "cannot run" in logs[-1]["why"]
    with pytest.raises(ModelError, match=r"cannot run.*LUNGLINE_ENGINE=auto"):
        RuntimeChoice("openvino", folder).make(place)


def test_what_cannot_be_converted_falls_back_and_says_so(tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with capture_logs() as logs:
        assert RuntimeChoice("auto", tmp_path).make(place).name == "keras"
    assert "cannot convert" in logs[-1]["why"]


def test_damaged_weights_are_refused_though_cached(folder: Path, member: Member, tmp_path: Path) -> None:
    other = Path(shutil.copytree(member.folder, tmp_path / "other"))
    (other / WEIGHTS).write_bytes(b"")
    damaged = Place(dataclasses.replace(member, folder=other), 1.0, 1.0)
    for choice in ("auto", "keras", "openvino"):
        with pytest.raises(ModelError, match="damaged"):
            RuntimeChoice(choice, folder).make(damaged)


@pytest.mark.parametrize(
    ("runtime", "devices", "chosen"),
    [("auto", "cpu", "auto"), ("auto", "0,1", "keras"), ("openvino", "0", "openvino"), ("keras", "cpu", "keras")],
)
def test_a_gpu_is_left_to_the_reference(runtime: str, devices: str, chosen: str, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("LUNGLINE_ENGINE", runtime)
    monkeypatch.setenv("LUNGLINE_DEVICES", devices)
    choice = RuntimeChoice.of(load())
    assert choice.choice == chosen
    assert choice.folder.is_relative_to(home)


@pytest.mark.parametrize(("gpus", "chosen"), [(0, "auto"), (1, "keras")])
def test_auto_looks_for_a_gpu(gpus: int, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.devices.at_hand", lambda: gpus)
    assert RuntimeChoice.of(load()).choice == chosen
