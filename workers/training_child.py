"""The training process: `python -m workers.training_child`, started by workers/training.py, one a run, so that memory comes back.

Standard input holds a JSON line with the claim, the run and the pid of who started it; the last line of standard output the outcome.
"""

import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path

import structlog

from db.connect import connect
from db.tables import RunOutcome
from lungline import log
from lungline.errors import SettingsError
from lungline.parent import die_with
from lungline.settings import Settings, load
from models import devices
from workers.outcome import RESULT, RunResult, TrainingOrder
from workers.retraining import Retraining

_NICE = 19


def main() -> None:
    """Runs one training run to its outcome."""
    order = TrainingOrder.model_validate_json(sys.stdin.readline())
    die_with(order.parent)
    _give_way()
    settings = load()
    log.configure("training", settings.log_format)
    try:
        engine = connect(settings.database_url)
        outcome = without_gpu(settings) or Retraining(settings, engine, order.claim, order.run).run()
    except Exception as error:  # only where it happened: its words may quote a file's name, and this goes to a log
        structlog.get_logger().error(
            "the training cannot continue", error=type(error).__name__, at=traceback.format_tb(error.__traceback__)[-1]
        )
        sys.exit(1)
    print(RESULT.dump_json(outcome).decode(), flush=True)


def without_gpu(settings: Settings) -> RunResult | None:
    """How a run ends whose GPU is not there: on the CPU it would be in the way of live work for far longer."""
    try:
        devices.require("LUNGLINE_TRAINING_DEVICE", settings.training_device)
    except SettingsError as error:
        return RunResult(RunOutcome.FAILED, str(error))
    return None


def _give_way() -> None:
    """Takes the lowest CPU priority. Where the kernel shares the CPU between sessions first (autogroup, sched(7)), nice counts only within
    one, and each has a nice value of its own."""
    os.nice(_NICE)
    with suppress(OSError):  # another kernel
        Path("/proc/self/autogroup").write_text(str(_NICE))


if __name__ == "__main__":
    main()
