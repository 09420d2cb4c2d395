"""How far a training is, by its files, whole or just being written."""

import json
from pathlib import Path

import numpy as np

from training.fitting import progress


def member(folder: Path, name: str, epochs: int) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "network.weights.h5").write_bytes(b"weights")
    (folder / name / "member.json").write_text(json.dumps({"epochs": epochs}))


def checkpoint(folder: Path, name: str, epoch: int) -> Path:
    path = folder / f".{name}.checkpoint.npz"
    np.savez(path, told=np.array(json.dumps({"epoch": epoch})), state0=np.zeros(9))
    return path


def test_progress_counts_trained_members_but_not_kept_ones(tmp_path: Path) -> None:
    assert progress.read_progress(tmp_path / "nowhere", ["xray-cnn"]) == (0, None)
    member(tmp_path, "xray-cnn", 12)
    member(tmp_path, "xray-kept", 40)
    names = ["xray-cnn", "xray-mobilenetv2"]
    assert progress.read_progress(tmp_path, names) == (12, None)
    path = checkpoint(tmp_path, "xray-mobilenetv2", 3)
    assert progress.read_progress(tmp_path, names) == (15, "xray-mobilenetv2: 3 epochs done")
    path.write_bytes(path.read_bytes()[:40])  # cut short
    assert progress.read_progress(tmp_path, names) == (12, None)
