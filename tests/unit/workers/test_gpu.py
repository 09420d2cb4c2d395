"""A worker whose GPU is not there says that it reads on the CPU; a training that has none does not begin."""

import os

import pytest
import structlog.testing

from lungline.settings import load
from models.backend import sees_gpu
from workers import training_child
from workers.inference import choose_runtime


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    if sees_gpu():
        pytest.skip("this machine has a GPU")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "as it was")


def test_a_worker_looks_for_the_gpu_of_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_DEVICES", "0,7")
    with structlog.testing.capture_logs() as logged:
        assert choose_runtime(load(), 1).choice == "auto"  # the fastest on CPUs
    (line,) = logged
    assert line["log_level"] == "error"
    assert "LUNGLINE_DEVICES names GPU 7" in line["why"]
    assert "make setup GPU=1" in line["why"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"


@pytest.mark.parametrize(("devices", "runtime"), [("cpu", "keras"), ("7", "openvino")])
def test_a_worker_that_needs_no_gpu_begins(devices: str, runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_DEVICES", devices)
    monkeypatch.setenv("LUNGLINE_ENGINE", runtime)
    assert choose_runtime(load(), 0).choice == runtime


def test_a_training_run_ends_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert training_child.without_gpu(load()) is None
    monkeypatch.setenv("LUNGLINE_TRAINING_DEVICE", "3")
    outcome = training_child.without_gpu(load())
    assert outcome is not None
    assert outcome.state == "failed"
    assert "LUNGLINE_TRAINING_DEVICE names GPU 3" in outcome.reason
