"""Logs of trainings for TensorBoard, which need not be installed here. Where TensorFlow trains, and nowhere else."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from models.backend import keras
from models.files import Member
from models.records import Epoch

_TAGS: Final = {
    "loss": "train/loss",
    "validation_loss": "val/loss",
    "validation_auroc": "val/macro_auroc",
    "validation_accuracy": "val/accuracy",
    "seconds": "time/seconds_an_epoch",
}


def write(folder: Path, members: Iterable[Member]) -> None:
    """Writes the curve of each member below `folder`, in place of older logs.

    Raises:
        OSError: the folder cannot be written.
    """
    if keras.backend.backend() != "tensorflow":
        return
    shutil.rmtree(folder, ignore_errors=True)
    for member in members:
        _write(folder / member.name, member.record.curve)


def _write(folder: Path, curve: Iterable[Epoch]) -> None:
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for epoch in curve:
            for name, tag in _TAGS.items():
                if (value := getattr(epoch, name)) is not None:  # older members' curves hold less
                    tf.summary.write(tag, tf.constant(float(value)), step=epoch.epoch, metadata=_scalar(tf))
    writer.close()


def _scalar(tf: Any) -> Any:
    """What tells TensorBoard to draw a line (tensorboard/plugins/scalar/metadata.py)."""
    metadata = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"})
    metadata.data_class = 1  # DATA_CLASS_SCALAR
    return metadata
