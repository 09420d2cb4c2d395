"""The logs that TensorBoard reads: a line a figure, a point an epoch."""

import dataclasses
from pathlib import Path

import tensorflow as tf

from lungline.findings import Modality
from models.records import Epoch
from models.registry import shipped
from training.fitting import tensorboard


def points(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What the event files of a folder hold."""
    found: dict[str, list[tuple[int, float]]] = {}
    for path in folder.glob("events.*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                found.setdefault(value.tag, []).append((event.step, float(tf.make_ndarray(value.tensor))))
    return found


def test_each_epoch_is_a_point(tmp_path: Path) -> None:
    later = [Epoch(epoch=n, loss=1 / n, validation_auroc=0.5 + n / 10, seconds=2.0) for n in (1, 2, 3)]
    curve = (later[0].model_copy(update={"validation_loss": 0.7, "validation_accuracy": 0.5}), *later[1:])  # older members lack these
    there = shipped()[Modality.XRAY].places[0].member
    member = dataclasses.replace(there, record=there.record.model_copy(update={"curve": curve}))
    for _ in range(2):  # written anew, not twice
        tensorboard.write(tmp_path / "logs", [member])
    found = points(tmp_path / "logs" / member.name)
    assert set(found) == {"train/loss", "val/loss", "val/macro_auroc", "val/accuracy", "time/seconds_an_epoch"}
    assert found["train/loss"] == [(1, 1.0), (2, 0.5), (3, float(tf.constant(1 / 3)))]
