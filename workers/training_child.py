"""The training process: started by workers/training.py, one for each run, so that its memory is freed."""

import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path

import structlog

from db.connect import connect
from db.tables import RunOutcome
from lungline import log
from lungline.child_process import answer_parent
from lungline.errors import SettingsError
from lungline.settings import Settings, load
from models import devices
from workers.outcome import RunResult, TrainingOrder
from workers.retraining import Retraining

_NICE = 19


def train(order: TrainingOrder) -> RunResult:
    """Runs one training run to its outcome. What nobody expected is logged, and ends this process without an answer."""
    _give_way()
    settings = load()
    log.configure("training", settings.log_format)
    try:
        engine = connect(settings.database_url)
        return without_gpu(settings) or Retraining(settings, engine, order.claim, order.run).run()
    except Exception as error:  # only where it happened: its words may quote a file's name, and this goes to a log
        structlog.get_logger().error(
            "the training cannot continue", error=type(error).__name__, at=traceback.format_tb(error.__traceback__)[-1]
        )
        sys.exit(1)


def without_gpu(settings: Settings) -> RunResult | None:
    """How a run ends whose GPU is not there: on the CPU it would be in the way of live work for far longer."""
    try:
        devices.require("LUNGLINE_TRAINING_DEVICE", settings.training_device)
    except SettingsError as error:
        return RunResult(state=RunOutcome.FAILED, reason=str(error))
    return None


def _give_way() -> None:
    """Takes the lowest CPU priority. Where the kernel shares the CPU between sessions first (autogroup, sched(7)), nice counts only within
    one, and each has a nice value of its own."""
    os.nice(_NICE)
    with suppress(OSError):  # another kernel
        Path("/proc/self/autogroup").write_text(str(_NICE))


if __name__ == "__main__":
    answer_parent(TrainingOrder, train)
