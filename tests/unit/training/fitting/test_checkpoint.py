"""A killed training goes on after its last finished epoch, and ends with the weights of an undisturbed one."""

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from models.architectures import build
from models.backend import keras
from models.records import Epoch
from training import recipes
from training.fitting.checkpoint import Checkpoint, TrainingState
from training.fitting.optimise import compile_network
from training.members.train import Start, train

REPOSITORY = Path(__file__).resolve().parents[4]
EPOCHS = 8


def _start(data: Path, home: Path, out: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "cli", "train", "xray-cnn", "--weights", "none", "--epochs", str(EPOCHS), "--out", str(out)]
    environment = {**os.environ, "LUNGLINE_HOME": str(home), "LUNGLINE_TRAINING_DATA": str(data), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment, text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)


@pytest.mark.slow  # features that are kept, killed and run again, are in test_features
def test_resumed_after_a_kill_it_gives_the_same_weights(tiny_data: Path, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    first = _start(tiny_data, home, out)
    timer = threading.Timer(120, first.kill)
    timer.start()
    assert first.stderr is not None
    for line in first.stderr:
        if f"epoch 3 of {EPOCHS}" in line:
            first.send_signal(signal.SIGKILL)
            break
    timer.cancel()
    assert first.wait(30) == -signal.SIGKILL
    first.stderr.close()
    assert not (out / "xray-cnn").exists()

    second = _start(tiny_data, home, out)
    _, said = second.communicate(timeout=180)
    assert second.returncode == 0, said
    assert "goes on after epoch" in said
    assert f"epoch 1 of {EPOCHS}" not in said

    (undisturbed,) = train(["xray-cnn"], Start(tiny_data, 0, "none", None, EPOCHS), tmp_path / "undisturbed")
    assert (out / "xray-cnn" / "network.weights.h5").read_bytes() == undisturbed.checked_weights().read_bytes()
    assert not list(out.glob(".*"))  # no checkpoint and no draft is left


@pytest.fixture
def network() -> keras.Model:
    compiled = build("small_cnn", 3)
    compile_network(compiled, recipes.load("xray-cnn"), 2, 2)
    compiled.train_on_batch(np.zeros((4, 96, 96, 1), np.float32), np.eye(3, dtype=np.float32)[[0, 1, 2, 0]])
    return compiled


def _state_of(network: keras.Model) -> TrainingState:
    return TrainingState(2, 1, 0.7, network.get_weights(), network.get_weights(), [Epoch(epoch=1, loss=0.5), Epoch(epoch=2, loss=0.4)])


def test_checkpoint_restores_all_that_the_next_epoch_needs(network: keras.Model, tmp_path: Path) -> None:
    kept, rng = Checkpoint(tmp_path / "c.npz", "key"), np.random.default_rng(3)
    kept.write(network, rng, _state_of(network))
    expected = rng.random(4)
    other = build("small_cnn", 3)
    compile_network(other, recipes.load("xray-cnn"), 2, 2)
    repeated = np.random.default_rng(99)
    training_state = kept.restore(other, repeated)
    assert training_state is not None
    assert (training_state.epoch, training_state.best_epoch, training_state.best_auroc) == (2, 1, 0.7)
    assert [epoch.loss for epoch in training_state.curve] == [0.5, 0.4]
    np.testing.assert_array_equal(repeated.random(4), expected)
    pictures, wanted = np.random.default_rng(0).random((4, 96, 96, 1), np.float32), np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    for value in (network, other):
        value.train_on_batch(pictures, wanted)
    for mine, its in zip(network.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_partial_checkpoint_on_a_full_disk_is_removed(network: keras.Model, tmp_path: Path) -> None:
    folder = tmp_path / "training"
    folder.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))  # as good as full
    try:
        with pytest.raises(OSError, match="too large"):
            Checkpoint(folder / "c.npz", "key").write(network, np.random.default_rng(3), _state_of(network))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("damage", ["none", "truncated", "empty", "another training"])
def test_what_is_no_checkpoint_of_this_training_is_not_taken_up(
    damage: str, network: keras.Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, rng = tmp_path / "c.npz", np.random.default_rng(3)
    before = network.get_weights()
    if damage != "none":
        Checkpoint(path, "key").write(network, rng, _state_of(network))
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-4000])
    if damage == "empty":
        path.write_bytes(b"")
    assert Checkpoint(path, "other" if damage == "another training" else "key").restore(network, rng) is None
    assert ("starts again" in capsys.readouterr().err) == (damage in ("truncated", "empty"))
    for mine, its in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
